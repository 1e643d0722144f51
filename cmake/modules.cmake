# caucus_module(NAME LINK libs...): the static library caucus_NAME from src/NAME/*.c.
# A main.c in the folder is a program, not part of the library.
function(caucus_module name)
    cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.c)
    list(FILTER sources EXCLUDE REGEX "/main\\.c$")
    if(sources)
        add_library(caucus_${name} STATIC ${sources})
        target_include_directories(caucus_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
        target_link_libraries(caucus_${name} PUBLIC ${ARG_LINK})
    else()
        add_library(caucus_${name} INTERFACE)
        target_include_directories(caucus_${name} INTERFACE ${CMAKE_SOURCE_DIR}/src)
        target_link_libraries(caucus_${name} INTERFACE ${ARG_LINK})
    endif()
endfunction()

# caucus_fast(TARGET...): where the sanitized tests spend their time, simulating seed after seed: worth the optimizer, twice as fast. The
# rest is compiled faster than it would be run.
function(caucus_fast)
    if(CAUCUS_SANITIZE MATCHES "address" AND NOT CAUCUS_FUZZ)
        foreach(target ${ARGN})
            target_compile_options(${target} PRIVATE -Og)
        endforeach()
    endif()
endfunction()

# caucus_planted(NAME): caucus_NAME_planted, the same compiled with CAUCUS_PLANT; built where a test links it.
# Named in front of caucus_NAME it takes its place.
function(caucus_planted name)
    get_target_property(sources caucus_${name} SOURCES)
    get_target_property(link caucus_${name} LINK_LIBRARIES)
    add_library(caucus_${name}_planted STATIC EXCLUDE_FROM_ALL ${sources})
    target_compile_definitions(caucus_${name}_planted PUBLIC CAUCUS_PLANT)
    target_include_directories(caucus_${name}_planted PUBLIC ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(caucus_${name}_planted PUBLIC ${link})
endfunction()

# caucus_program(NAME main.c libs...)
function(caucus_program name main)
    if(EXISTS ${CMAKE_SOURCE_DIR}/${main})
        add_executable(${name} ${main})
        target_link_libraries(${name} PRIVATE ${ARGN})
    endif()
endfunction()

# caucus_testlib(LINK libs...): what several unit tests share, from tests/lib/*.c; they name it "testlib".
function(caucus_testlib)
    cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/lib/*.c)
    if(sources)
        add_library(caucus_testlib STATIC ${sources})
        target_include_directories(caucus_testlib PUBLIC ${CMAKE_SOURCE_DIR}/tests/lib)
        target_link_libraries(caucus_testlib PUBLIC ${ARG_LINK})
    endif()
endfunction()

# Each tests/unit/test_X.c is a cmocka program. Its first line says what it links:
#   /* links: wire tree */
function(caucus_unit_tests)
    pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
    file(GLOB tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/unit/test_*.c)
    foreach(test ${tests})
        get_filename_component(name ${test} NAME_WE)
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${test}) # its first line
        file(STRINGS ${test} first LIMIT_COUNT 1)
        if(NOT first MATCHES "^/\\* links: ([a-z_ ]+) \\*/$")
            message(FATAL_ERROR "${test}: the first line must be /* links: MODULE... */")
        endif()
        string(REPLACE " " ";" modules "${CMAKE_MATCH_1}")
        list(TRANSFORM modules PREPEND caucus_)
        add_executable(${name} ${test})
        target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests/unit)
        target_link_libraries(${name} PRIVATE ${modules} PkgConfig::CMOCKA)
        add_test(NAME unit/${name} COMMAND ${name})
        if(name MATCHES "_(fle|zab|io)_")
            caucus_fast(${name})
        endif()
        set(labels unit)
        if(name MATCHES "_(logthread|snapthread|driver)$") # they start threads: run under TSan as well
            list(APPEND labels threads)
            list(APPEND threaded ${name})
        elseif(name MATCHES "_zab_(planted|net)$|_fle_network$") # small networks under seeds: simulations, as tests/sim
            set(labels sim)
        endif()
        set_tests_properties(unit/${name} PROPERTIES LABELS "${labels}" TIMEOUT 300)
    endforeach()
    add_custom_target(threaded DEPENDS ${threaded})
    # The longest first, or the last core waits for one that was begun last.
    set_tests_properties(unit/test_io_crash unit/test_io_snapshot PROPERTIES COST 10)
    set_tests_properties(unit/test_zab_planted unit/test_zab_net unit/test_fle_network PROPERTIES COST 20)
endfunction()
