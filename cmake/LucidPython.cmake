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
    INSTALL_RPATH "$ORIGIN/../scipy_openblas32/lib")
elseif(APPLE)
  target_link_options(lucid_python PRIVATE -undefined dynamic_lookup)
  set_target_properties(lucid_python PROPERTIES
    INSTALL_RPATH "@loader_path/../scipy_openblas32/lib")
endif()

install(TARGETS lucid_python LIBRARY DESTINATION lucid COMPONENT python)
