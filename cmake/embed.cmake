# caucus_embed(TARGET DIR): the files of DIR as C arrays in TARGET (src/election_rest/web.h), made again
# when one of them changes. Run as a script (cmake -P) it is the step that writes them.
if(CMAKE_SCRIPT_MODE_FILE)
    set(types
        html "text/html\; charset=utf-8" css "text/css\; charset=utf-8"
        js "text/javascript\; charset=utf-8" svg "image/svg+xml" webmanifest "application/manifest+json")
    set(arrays "")
    set(rows "")
    set(number 0)
    separate_arguments(files UNIX_COMMAND "${FILES}")
    foreach(file ${files})
        get_filename_component(name ${file} NAME)
        string(REGEX MATCH "[a-z]+$" ending ${name})
        list(FIND types "${ending}" at)
        if(at EQUAL -1)
            message(FATAL_ERROR "${file}: no content type for .${ending} (cmake/embed.cmake)")
        endif()
        math(EXPR at "${at} + 1")
        list(GET types ${at} type)
        file(READ ${file} hex HEX)
        file(SHA256 ${file} tag)
        string(SUBSTRING ${tag} 0 16 tag)
        string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
        string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n" bytes "${bytes}")
        string(APPEND arrays "static const unsigned char file_${number}[] = {\n${bytes}};\n")
        string(APPEND rows "    {\"${name}\", \"${type}\", \"${tag}\", file_${number}, sizeof file_${number}},\n")
        math(EXPR number "${number} + 1")
    endforeach()
    file(WRITE ${OUT} "/* Written by cmake/embed.cmake. */\n#include \"election_rest/web.h\"\n\n${arrays}
const struct web_file web_files[] = {\n${rows}};\nconst size_t web_file_count = ${number};\n")
    return()
endif()

function(caucus_embed target dir)
    file(GLOB files CONFIGURE_DEPENDS ${dir}/*)
    list(FILTER files EXCLUDE REGEX "\\.md$")
    string(REPLACE ";" " " names "${files}")
    set(out ${CMAKE_BINARY_DIR}/${target}_files.c)
    add_custom_command(OUTPUT ${out}
        COMMAND ${CMAKE_COMMAND} -DOUT=${out} "-DFILES=${names}" -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
        DEPENDS ${files} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake VERBATIM)
    target_sources(${target} PRIVATE ${out})
endfunction()
