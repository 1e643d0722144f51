# What Debian wants beside what "make install" puts in place; run by CPack between installation and packing
# (CPACK_PRE_BUILD_SCRIPTS), with a folder for each package in CPACK_TEMPORARY_DIRECTORY.
set(here ${CMAKE_CURRENT_LIST_DIR})
set(root ${CPACK_TEMPORARY_DIRECTORY})

function(compress)
    if(ARGN)
        execute_process(COMMAND gzip -9nf ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
    endif()
endfunction()

foreach(name caucusd electiond)
    file(MAKE_DIRECTORY ${root}/caucus/etc/default ${root}/caucus/etc/caucus)
    file(COPY_FILE ${here}/../systemd/${name}.default ${root}/caucus/etc/default/${name})
endforeach()

foreach(group caucus library development)
    string(TOUPPER ${group} GROUP)
    set(doc ${root}/${group}/usr/share/doc/${CPACK_DEBIAN_${GROUP}_PACKAGE_NAME})
    file(MAKE_DIRECTORY ${doc})
    file(COPY_FILE ${here}/copyright ${doc}/copyright)
    file(COPY_FILE ${here}/changelog ${doc}/changelog)
    file(GLOB pages ${root}/${group}/usr/share/man/man*/*.[1-8])
    compress(${doc}/changelog ${pages})
endforeach()

set(examples ${root}/caucus/usr/share/doc/caucus/examples)
file(MAKE_DIRECTORY ${examples}/monitoring)
file(COPY_FILE ${here}/../systemd/zoo.cfg ${examples}/zoo.cfg)
foreach(name alerts.yml prometheus.yml dashboard.json)
    file(COPY_FILE ${here}/../monitoring/${name} ${examples}/monitoring/${name})
endforeach()
file(COPY ${here}/../../elections DESTINATION ${examples})
