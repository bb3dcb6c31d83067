# python/src/*.c -> lucid/_lucid.abi3.so: the limited API, so one wheel serves every CPython >= 3.11.
# The core is linked in statically; the BLAS is found beside the package through RPATH.

find_package(Python 3.11 REQUIRED COMPONENTS Interpreter Development.Module)

file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/python/src/*.c")
add_library(lucid_python MODULE ${sources})
set_target_properties(lucid_python PROPERTIES
  OUTPUT_NAME _lucid PREFIX "" SUFFIX ".abi3.so" C_VISIBILITY_PRESET hidden)
target_compile_definitions(lucid_python PRIVATE Py_LIMITED_API=0x030B0000)
target_include_directories(lucid_python PRIVATE "${PROJECT_SOURCE_DIR}/python/src")
target_include_directories(lucid_python SYSTEM PRIVATE ${Python_INCLUDE_DIRS})
target_link_libraries(lucid_python PRIVATE lucid_flags lucid_static)
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  # Export PyInit__lucid alone: another lucid in the same process must not meet this one's symbols.
  target_link_options(lucid_python PRIVATE -Wl,--exclude-libs,ALL)
  set_target_properties(lucid_python PROPERTIES
    INSTALL_RPATH "$ORIGIN/_lib:$ORIGIN/../scipy_openblas32/lib")
  # A machine without a compiler may lack the OpenMP runtime, so the package brings its own.
  foreach(library IN LISTS OpenMP_C_LIBRARIES)
    if(library MATCHES "lib(gomp|omp|iomp5)\\.so")
      file(REAL_PATH "${library}" library_file)
      execute_process(COMMAND "${CMAKE_OBJDUMP}" -p "${library_file}" OUTPUT_VARIABLE headers)
      string(REGEX MATCH "SONAME +([^\n]+)" soname "${headers}")
      install(FILES "${library_file}" DESTINATION lucid/_lib RENAME "${CMAKE_MATCH_1}"
        COMPONENT python)
    endif()
  endforeach()
elseif(APPLE)
  target_link_options(lucid_python PRIVATE -undefined dynamic_lookup)
  set_target_properties(lucid_python PROPERTIES
    INSTALL_RPATH "@loader_path/../scipy_openblas32/lib")
endif()

install(TARGETS lucid_python LIBRARY DESTINATION lucid COMPONENT python)
