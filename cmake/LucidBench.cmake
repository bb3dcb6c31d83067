# lucid_bench: lucid from C as `make bench` measures it, linked as a program of a user would be.

file(GLOB files CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/bench/c/*.c")
add_executable(lucid_bench EXCLUDE_FROM_ALL ${files})
target_link_libraries(lucid_bench PRIVATE lucid_flags lucid::lucid)
