# tests/c/test_*.c: one executable each, on the static library so that internal headers can be used.
# fuzz/*.c: libFuzzer targets, and the same code run over fuzz/corpus/<name>/ as a plain test.
# examples/c/*.c: example_<name> each, run as a test; they see the public header alone.

find_package(PkgConfig REQUIRED)
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)

# Seconds. Sanitizers slow some tests down tenfold, emulators more.
set(LUCID_TEST_TIMEOUT 300)
if(LUCID_SANITIZE OR CMAKE_CROSSCOMPILING)
  set(LUCID_TEST_TIMEOUT 1200)
endif()

add_library(lucid_test_flags INTERFACE)
target_include_directories(lucid_test_flags INTERFACE
  "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}/tests/c")
target_compile_definitions(lucid_test_flags INTERFACE
  "LUCID__SOURCE_DIR=\"${PROJECT_SOURCE_DIR}\"" $<$<CONFIG:Debug>:LUCID__DEBUG=1>)
target_link_libraries(lucid_test_flags INTERFACE
  lucid_flags lucid_static OpenMP::OpenMP_C PkgConfig::CMOCKA m)

file(GLOB support CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/c/support/*.c")
if(support)
  add_library(lucid_test_support STATIC ${support})
  target_link_libraries(lucid_test_support PUBLIC lucid_test_flags)
  set(test_library lucid_test_support)
else()
  set(test_library lucid_test_flags)
endif()

file(GLOB tests CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/c/test_*.c")
foreach(file IN LISTS tests)
  get_filename_component(name "${file}" NAME_WE)
  add_executable(${name} "${file}")
  target_link_libraries(${name} PRIVATE ${test_library})
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${LUCID_TEST_TIMEOUT})
endforeach()

# Loops and branches once more without lane programs, which would otherwise take all of them.
add_test(NAME test_control_flow_without_lanes COMMAND test_control_flow)
set_tests_properties(test_control_flow_without_lanes PROPERTIES
  TIMEOUT ${LUCID_TEST_TIMEOUT} ENVIRONMENT LUCID_LAYOUT=elements)

# Whatever can stand in the SIMD lanes, wherever there is a choice: the same results.
foreach(layout elements batch library)
  add_test(NAME test_grid_${layout} COMMAND test_grid)
  add_test(NAME test_fusion_${layout} COMMAND test_fusion)
  add_test(NAME test_random_programs_${layout}
    COMMAND test_random_programs --count 100 --seed 5000)
  set_tests_properties(test_grid_${layout} test_fusion_${layout} test_random_programs_${layout}
    PROPERTIES TIMEOUT ${LUCID_TEST_TIMEOUT} LABELS long ENVIRONMENT LUCID_LAYOUT=${layout})
endforeach()

# Most of the time of all tests where they are emulated, for what depends on the machine least.
set_property(TEST test_alloc_failures test_decompositions test_dispatch test_explain test_random_programs
  PROPERTY LABELS long)

set(standalone "${PROJECT_SOURCE_DIR}/fuzz/standalone_main.c")
file(GLOB fuzzers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/fuzz/*.c")
list(REMOVE_ITEM fuzzers "${standalone}")
foreach(file IN LISTS fuzzers)
  get_filename_component(name "${file}" NAME_WE)
  if(LUCID_FUZZ)
    add_executable(${name} "${file}")
    target_link_libraries(${name} PRIVATE ${test_library})
    target_compile_options(${name} PRIVATE -fsanitize=fuzzer)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  endif()
  if(EXISTS "${standalone}")
    add_executable(${name}_corpus "${file}" "${standalone}")
    target_link_libraries(${name}_corpus PRIVATE ${test_library})
    add_test(NAME ${name}_corpus
      COMMAND ${name}_corpus "${PROJECT_SOURCE_DIR}/fuzz/corpus/${name}")
    set_tests_properties(${name}_corpus PROPERTIES TIMEOUT ${LUCID_TEST_TIMEOUT})
  endif()
endforeach()

set(example_dp_digits_arguments --steps 20)
file(GLOB examples CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/examples/c/*.c")
foreach(file IN LISTS examples)
  get_filename_component(name "${file}" NAME_WE)
  set(name example_${name})
  add_executable(${name} "${file}")
  target_link_libraries(${name} PRIVATE lucid_flags lucid_static m)
  add_test(NAME ${name} COMMAND ${name} ${${name}_arguments}
    WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
  set_tests_properties(${name} PROPERTIES TIMEOUT ${LUCID_TEST_TIMEOUT})
endforeach()
