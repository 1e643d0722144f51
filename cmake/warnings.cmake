# The warnings every file of ours compiles under, with gcc 12 and clang 14 alike.
add_compile_options(
    -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
    -Wcast-qual -Wvla -Wformat=2 -Wundef -Wconversion -Wno-sign-conversion -Wimplicit-fallthrough
    -fno-strict-aliasing -fno-omit-frame-pointer -fstack-protector-strong)
add_compile_definitions(_GNU_SOURCE CAUCUS_VERSION="${PROJECT_VERSION}")
if(CAUCUS_SANITIZE)
    add_compile_options(-fsanitize=${CAUCUS_SANITIZE} -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${CAUCUS_SANITIZE})
endif()
if(CAUCUS_FUZZ)
    # Every library reports its coverage; only the fuzzers get libFuzzer's main. -O1: a fuzzer is as
    # good as it is fast.
    add_compile_options(-fsanitize=fuzzer-no-link -O1)
endif()
if(CAUCUS_LTO)
    include(CheckIPOSupported)
    check_ipo_supported()
    set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
endif()
