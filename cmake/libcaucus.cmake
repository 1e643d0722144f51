# libcaucus for programs: a shared and a static library in which only caucus_* can be seen, with a
# pkg-config file and a CMake package. Nothing of the servers is in it, nor depends on it.
#
# The static library is one object with its inner names made local: what is called buf_init inside must not
# meet a buf_init of the program's.

set(LIBCAUCUS_SOVERSION 0)

foreach(module caucus_tls caucus_client caucus_client_io caucus_recipes)
    set_target_properties(${module} PROPERTIES POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden
                          INTERPROCEDURAL_OPTIMIZATION OFF)
endforeach()

# What it needs of the lower layers, compiled for a shared library.
add_library(libcaucus_lower OBJECT EXCLUDE_FROM_ALL
    src/base/buf.c src/base/err.c src/base/json_in.c src/base/map.c src/base/mem.c src/base/sha256.c src/base/utf8.c src/wire/path.c src/wire/records_gen.c src/wire/zk.c)
target_include_directories(libcaucus_lower PRIVATE ${CMAKE_SOURCE_DIR}/src)
target_link_libraries(libcaucus_lower PRIVATE PkgConfig::XXHASH)
set_target_properties(libcaucus_lower PROPERTIES POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden
                      INTERPROCEDURAL_OPTIMIZATION OFF)
set(objects $<TARGET_OBJECTS:caucus_tls> $<TARGET_OBJECTS:caucus_client> $<TARGET_OBJECTS:caucus_client_io> $<TARGET_OBJECTS:caucus_recipes>
            $<TARGET_OBJECTS:libcaucus_lower>)

add_library(libcaucus SHARED ${objects})
set_target_properties(libcaucus PROPERTIES OUTPUT_NAME caucus VERSION ${PROJECT_VERSION}
                      SOVERSION ${LIBCAUCUS_SOVERSION} LINKER_LANGUAGE C INTERPROCEDURAL_OPTIMIZATION OFF)
target_link_libraries(libcaucus PRIVATE PkgConfig::SSL PkgConfig::CRYPTO Threads::Threads ${CMAKE_DL_LIBS} m)
if(NOT CAUCUS_SANITIZE) # a sanitizer's names come with the program
    target_link_options(libcaucus PRIVATE -Wl,-z,defs)
endif()

set(static ${CMAKE_BINARY_DIR}/libcaucus.a)
add_custom_command(OUTPUT ${static}
    COMMAND ${CMAKE_LINKER} -r -o libcaucus_whole.o ${objects}
    COMMAND ${CMAKE_OBJCOPY} --localize-hidden libcaucus_whole.o
    COMMAND ${CMAKE_COMMAND} -E rm -f ${static}
    COMMAND ${CMAKE_AR} rcs ${static} libcaucus_whole.o
    DEPENDS ${objects} COMMAND_EXPAND_LISTS VERBATIM)
add_custom_target(libcaucus_static ALL DEPENDS ${static})

include(GNUInstallDirs)
install(TARGETS libcaucus LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library NAMELINK_COMPONENT development)
install(FILES ${static} DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(DIRECTORY include/caucus DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development FILES_MATCHING PATTERN "*.h")

# From <libdir>/pkgconfig back to the prefix; <libdir> may be lib or lib/x86_64-linux-gnu.
string(REGEX REPLACE "[^/]+" ".." up ${CMAKE_INSTALL_LIBDIR})
set(LIBCAUCUS_UP "${up}/..")
configure_file(cmake/caucus.pc.in caucus.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/caucus.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
configure_file(cmake/caucusConfig.cmake.in caucusConfig.cmake @ONLY)
include(CMakePackageConfigHelpers)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/caucusConfigVersion.cmake VERSION ${PROJECT_VERSION}
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/caucusConfig.cmake ${CMAKE_BINARY_DIR}/caucusConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/caucus COMPONENT development)
