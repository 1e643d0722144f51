# Debian packages by CPack: caucus (programs, units), libcaucus and its soname, libcaucus-dev. "make package" puts them into
# packages/ of the build. What is Debian's alone, deploy/debian/finish.cmake adds behind the installation.
set(deploy ${CMAKE_SOURCE_DIR}/deploy)
install(FILES ${deploy}/systemd/caucusd.service ${deploy}/systemd/electiond.service DESTINATION lib/systemd/system COMPONENT units)
install(FILES ${deploy}/systemd/caucus.sysusers RENAME caucus.conf DESTINATION lib/sysusers.d COMPONENT units)

set(library libcaucus${LIBCAUCUS_SOVERSION})
set(CAUCUS_MAINTAINER "Caucus maintainers <maintainers@caucus.invalid>" CACHE STRING "who answers for the packages")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME caucus)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT ${CAUCUS_MAINTAINER})
set(CPACK_OUTPUT_FILE_PREFIX ${CMAKE_BINARY_DIR}/packages)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ
    WORLD_EXECUTE)
set(CPACK_COMPONENTS_ALL programs units library development)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
set(CPACK_COMPONENT_PROGRAMS_GROUP caucus)
set(CPACK_COMPONENT_UNITS_GROUP caucus)
set(CPACK_COMPONENT_LIBRARY_GROUP library)
set(CPACK_COMPONENT_DEVELOPMENT_GROUP development)
set(CPACK_PRE_BUILD_SCRIPTS ${deploy}/debian/finish.cmake)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_CAUCUS_PACKAGE_NAME caucus)
set(CPACK_DEBIAN_CAUCUS_PACKAGE_SECTION net)
set(CPACK_DEBIAN_CAUCUS_PACKAGE_DEPENDS "systemd | systemd-standalone-sysusers")
set(CPACK_DEBIAN_CAUCUS_PACKAGE_RECOMMENDS "libsasl2-2, libsnappy1v5")
set(CPACK_DEBIAN_CAUCUS_DESCRIPTION "coordination server that speaks ZooKeeper's protocol, and an election
caucusd takes the place of Apache ZooKeeper: its clients, files, commands
and metrics are the same, and it stands in one ensemble with its servers.
caucus is its command line, electiond a distributed election on top of any
such ensemble; committee and electorate are its people.")
set(CPACK_DEBIAN_CAUCUS_PACKAGE_CONTROL_EXTRA ${deploy}/debian/conffiles ${deploy}/debian/postinst ${deploy}/debian/prerm
    ${deploy}/debian/postrm)

set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME ${library})
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_LIBRARY_DESCRIPTION "client of ZooKeeper servers, with recipes
Sessions, watches, leader election, locks, membership and caches for
programs in C.")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_RECOMMENDS libsasl2-2)
file(WRITE ${CMAKE_BINARY_DIR}/debian/shlibs "libcaucus ${LIBCAUCUS_SOVERSION} ${library} (>= ${PROJECT_VERSION})\n")
file(WRITE ${CMAKE_BINARY_DIR}/debian/triggers "activate-noawait ldconfig\n")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA ${CMAKE_BINARY_DIR}/debian/shlibs ${CMAKE_BINARY_DIR}/debian/triggers)

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libcaucus-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_DESCRIPTION "client of ZooKeeper servers, with recipes: for building programs
Headers, the static library, files for pkg-config and CMake, and pages of
the manual.")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "${library} (= ${PROJECT_VERSION}), libssl-dev")

include(CPack)
