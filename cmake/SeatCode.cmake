# SPDX-License-Identifier: GPL-3.0-or-later
#
# Writes a C file with the creation code of the seat contract, from the committed artifact.
#
#     cmake -DARTIFACT=... -DOUTPUT=... -P cmake/SeatCode.cmake

# bytes_of(NAME OUTPUT): a member that is hex, as the bytes of an initialiser.
function(bytes_of NAME OUTPUT)
    string(JSON HEX GET "${TEXT}" ${NAME})
    if(NOT HEX MATCHES "^0x([0-9a-f][0-9a-f])+$")
        message(FATAL_ERROR "${ARTIFACT}: ${NAME} is not hex")
    endif()
    string(SUBSTRING "${HEX}" 2 -1 HEX)
    string(REGEX REPLACE "(..)" "0x\\1," BYTES "${HEX}")
    string(REGEX REPLACE "((0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,))" "\\1\n"
        BYTES "${BYTES}")
    set(${OUTPUT} "${BYTES}" PARENT_SCOPE)
endfunction()

file(READ "${ARTIFACT}" TEXT)
bytes_of(bytecode CREATION)
bytes_of(codeHash HASH)
file(WRITE "${OUTPUT}" "// Made from the artifact by cmake/SeatCode.cmake.
#include \"chain/contracts/seat_code.h\"

static const uint8_t creation[] = {
${CREATION}};

const struct span seat_creation_code = {creation, sizeof creation};

const struct hash256 seat_code_hash = {{
${HASH}}};
")
