# SPDX-License-Identifier: GPL-3.0-or-later
#
# The project's compile flags and its ways to declare things: a library half (pure or edge), a unit
# test, a program that tests or benches run, a fuzz target. The link lists of the libraries state
# the layering rule; tools/check enforces it.

option(DEEDMESH_SANITIZE "Address and undefined-behaviour sanitizers" OFF)
option(DEEDMESH_HARDEN "Fortify, stack protector, PIE, full RELRO" OFF)
option(DEEDMESH_FUZZ "Build the libFuzzer targets (clang only)" OFF)
option(DEEDMESH_COVERAGE "Instrument for gcov" OFF)

add_library(deedmesh_flags INTERFACE)
target_include_directories(deedmesh_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(deedmesh_flags INTERFACE
    _GNU_SOURCE DEEDMESH_VERSION="${PROJECT_VERSION}")
target_compile_options(deedmesh_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wcast-qual -Wundef -Wvla
    -Wformat=2 -Werror
    $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes$<SEMICOLON>-Wmissing-prototypes>)

if(DEEDMESH_SANITIZE)
    target_compile_options(deedmesh_flags INTERFACE
        -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(deedmesh_flags INTERFACE -fsanitize=address,undefined)
endif()
if(DEEDMESH_FUZZ)
    target_compile_options(deedmesh_flags INTERFACE
        -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
    target_link_options(deedmesh_flags INTERFACE -fsanitize=address,undefined)
endif()
if(DEEDMESH_COVERAGE)
    target_compile_options(deedmesh_flags INTERFACE --coverage)
    target_link_options(deedmesh_flags INTERFACE --coverage)
endif()
if(DEEDMESH_HARDEN)
    set(CMAKE_POSITION_INDEPENDENT_CODE ON)
    target_compile_options(deedmesh_flags INTERFACE
        -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong
        -fstack-clash-protection -fPIE)
    target_link_options(deedmesh_flags INTERFACE -pie -Wl,-z,relro,-z,now,-z,noexecstack)
endif()

# deedmesh_library(NAME SOURCES file... [LINK target...])
# One half of a folder: deedmesh_<folder> (pure) or deedmesh_<folder>_edge.
function(deedmesh_library NAME)
    cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
    add_library(${NAME} STATIC ${ARG_SOURCES})
    target_link_libraries(${NAME} PUBLIC deedmesh_flags ${ARG_LINK})
endfunction()

# deedmesh_unit_test(NAME SOURCE LINK target...)
# A cmocka program, run by ctest under the name NAME.
function(deedmesh_unit_test NAME SOURCE)
    cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
    add_executable(test_${NAME} ${SOURCE})
    target_link_libraries(test_${NAME} PRIVATE deedmesh_flags PkgConfig::cmocka ${ARG_LINK})
    add_test(NAME ${NAME} COMMAND test_${NAME})
    set_tests_properties(${NAME} PROPERTIES TIMEOUT 300 LABELS unit SKIP_RETURN_CODE 77)
endfunction()

# deedmesh_tool(NAME SOURCES file... [LINK target...])
# A program that a lab test or a bench runs.
function(deedmesh_tool NAME)
    cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
    add_executable(${NAME} ${ARG_SOURCES})
    target_link_libraries(${NAME} PRIVATE deedmesh_flags ${ARG_LINK})
endfunction()

# deedmesh_fuzz_target(NAME SOURCE LINK target...)
# A libFuzzer target whose seeds are kept in tests/fuzz/seeds/NAME. The fuzz preset builds these and
# what they need, nothing else.
if(DEEDMESH_FUZZ)
    add_custom_target(fuzz_targets)
endif()
function(deedmesh_fuzz_target NAME SOURCE)
    cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
    if(DEEDMESH_FUZZ)
        add_executable(fuzz_${NAME} ${SOURCE})
        target_link_libraries(fuzz_${NAME} PRIVATE deedmesh_flags ${ARG_LINK})
        target_link_options(fuzz_${NAME} PRIVATE -fsanitize=fuzzer)
        add_dependencies(fuzz_targets fuzz_${NAME})
    endif()
endfunction()
