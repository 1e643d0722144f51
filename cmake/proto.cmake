# The messages of proto/: C by protobuf-c, and each file's descriptor as bytes, for reflection.
#
# caucus_proto(NAME [PROTO_ROOT folder] FILE...): the static library NAME of the files, which lie below proto/ or
# that folder. Generated code is compiled without our warnings. Run as a script (cmake -P) it writes x.desc as x.desc.c.
if(CMAKE_SCRIPT_MODE_FILE)
    file(READ ${FILE} bytes HEX)
    string(LENGTH "${bytes}" digits)
    math(EXPR count "${digits} / 2")
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
    string(REGEX REPLACE "[^a-zA-Z0-9]" "_" name ${NAME})
    file(WRITE ${FILE}.c "#include <stddef.h>\n#include <stdint.h>\n
extern const uint8_t descriptor_${name}[];\nextern const size_t descriptor_${name}_bytes;
const size_t descriptor_${name}_bytes = ${count};\nconst uint8_t descriptor_${name}[] = {${bytes}};\n")
    return()
endif()

find_program(PROTOC_C protoc-c REQUIRED)
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c)
set(CAUCUS_PROTO_OUT ${CMAKE_BINARY_DIR}/proto)

function(caucus_proto name)
    cmake_parse_arguments(ARG "" "PROTO_ROOT" "" ${ARGN})
    if(NOT ARG_PROTO_ROOT)
        set(ARG_PROTO_ROOT ${CMAKE_SOURCE_DIR}/proto)
    endif()
    file(MAKE_DIRECTORY ${CAUCUS_PROTO_OUT})
    set(sources "")
    foreach(file ${ARG_UNPARSED_ARGUMENTS})
        string(REGEX REPLACE "\\.proto$" "" stem ${file})
        set(out ${CAUCUS_PROTO_OUT}/${stem})
        add_custom_command(OUTPUT ${out}.pb-c.c ${out}.pb-c.h ${out}.desc ${out}.desc.c
            COMMAND ${PROTOC_C} -I${ARG_PROTO_ROOT} --c_out=${CAUCUS_PROTO_OUT}
                    --descriptor_set_out=${out}.desc ${file}
            COMMAND ${CMAKE_COMMAND} -D FILE=${out}.desc -D NAME=${stem} -P ${CMAKE_SOURCE_DIR}/cmake/proto.cmake
            DEPENDS ${ARG_PROTO_ROOT}/${file} ${CMAKE_SOURCE_DIR}/cmake/proto.cmake VERBATIM)
        list(APPEND sources ${out}.pb-c.c ${out}.desc.c)
    endforeach()
    add_library(${name} STATIC ${sources})
    target_include_directories(${name} SYSTEM PUBLIC ${CAUCUS_PROTO_OUT})
    target_link_libraries(${name} PUBLIC PkgConfig::PROTOBUF_C)
    target_compile_options(${name} PRIVATE -w)
endfunction()

# The same service under its older name.
file(READ proto/grpc/reflection/v1/reflection.proto text)
string(REPLACE "package grpc.reflection.v1;" "package grpc.reflection.v1alpha;" text "${text}")
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/proto_made/grpc/reflection/v1alpha/reflection.proto CONTENT "${text}" @ONLY)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS proto/grpc/reflection/v1/reflection.proto)
