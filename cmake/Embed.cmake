# SPDX-License-Identifier: GPL-3.0-or-later
#
# cmake -D OUTPUT=FILE.c -D FILES=a;b -P Embed.cmake: a C file with the bytes of each file and the
# table `page_files` of node/cli/page_file.h.
set(arrays "")
set(rows "")
set(number 0)
foreach(file ${FILES})
    get_filename_component(name ${file} NAME)
    file(READ ${file} hex HEX)
    string(REPEAT "." 32 line)
    string(REGEX REPLACE "(${line})" "\\1\n" hex "${hex}")
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    string(APPEND arrays "static const unsigned char file${number}[] = {\n${bytes}\n};\n")
    string(APPEND rows "    {\"${name}\", file${number}, sizeof file${number}},\n")
    math(EXPR number "${number} + 1")
endforeach()
file(WRITE ${OUTPUT}
    "// Made by cmake/Embed.cmake.\n#include \"node/cli/page_file.h\"\n\n"
    "${arrays}\nconst struct page_file page_files[] = {\n${rows}    {0},\n};\n")
