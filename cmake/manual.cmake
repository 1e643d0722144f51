# The pages of the manual: those of programs by hand, one in section 3 for each public header by tools/header_page.awk,
# and one for each function that leads there.
find_program(AWK awk REQUIRED)
file(GLOB headers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/include/caucus/*.h)
string(TIMESTAMP today "%B %d, %Y" UTC) # of $SOURCE_DATE_EPOCH, if that is set
set(folder ${CMAKE_BINARY_DIR}/man/man3)
file(MAKE_DIRECTORY ${folder})

set(names "")
foreach(header ${headers})
    get_filename_component(name ${header} NAME_WE)
    list(APPEND names "caucus_${name}")
endforeach()
list(TRANSFORM names REPLACE "^caucus_caucus$" "caucus")
set(others ${names})
list(SORT others)
list(JOIN others " " others)

set(pages "")
foreach(header name IN ZIP_LISTS headers names)
    add_custom_command(OUTPUT ${folder}/${name}.3
        COMMAND ${AWK} -v date=${today} -v folder=${folder} -v others=${others}
                -f ${CMAKE_SOURCE_DIR}/tools/header_page.awk ${header}
        DEPENDS ${header} ${CMAKE_SOURCE_DIR}/tools/header_page.awk VERBATIM)
    list(APPEND pages ${folder}/${name}.3)
endforeach()
add_custom_target(manual ALL DEPENDS ${pages})

install(FILES docs/man/caucus.1 docs/man/committee.1 docs/man/electorate.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1
        COMPONENT programs)
install(FILES docs/man/caucusd.8 docs/man/electiond.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8 COMPONENT programs)
install(DIRECTORY ${folder} DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT development)
