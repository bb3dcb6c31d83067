# Installs the header, the libraries, the CMake package and the pkg-config file.

include(CMakePackageConfigHelpers)

install(FILES "${PROJECT_SOURCE_DIR}/include/lucid.h"
  "${PROJECT_SOURCE_DIR}/include/lucid_elementwise.def"
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")

set(libraries lucid_static)
if(LUCID_SHARED)
  list(APPEND libraries lucid_shared)
endif()
set_target_properties(lucid_static PROPERTIES EXPORT_NAME lucid_static)
if(LUCID_SHARED)
  set_target_properties(lucid_shared PROPERTIES EXPORT_NAME lucid)
endif()
install(TARGETS ${libraries} EXPORT lucid-targets
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")

set(config_dir "${CMAKE_INSTALL_LIBDIR}/cmake/lucid")
install(EXPORT lucid-targets NAMESPACE lucid:: DESTINATION "${config_dir}")
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/lucid-config.cmake.in"
  "${PROJECT_BINARY_DIR}/lucid-config.cmake" INSTALL_DESTINATION "${config_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/lucid-config-version.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/lucid-config.cmake"
  "${PROJECT_BINARY_DIR}/lucid-config-version.cmake" DESTINATION "${config_dir}")

# A static library needs what it calls; a shared one has found it already.
string(REPLACE ";" " " LUCID_PC_PRIVATE "${LUCID_BLAS_PC_LIBS} ${OpenMP_C_FLAGS} -lm")
set(LUCID_PC_PUBLIC "")
if(NOT LUCID_SHARED)
  set(LUCID_PC_PUBLIC " ${LUCID_PC_PRIVATE}")
endif()
# The prefix is worked out from where the file lies, so that an installed tree can be moved.
file(RELATIVE_PATH LUCID_PC_PREFIX
  "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
string(REGEX REPLACE "/$" "" LUCID_PC_PREFIX "${LUCID_PC_PREFIX}")
configure_file("${PROJECT_SOURCE_DIR}/cmake/lucid.pc.in" "${PROJECT_BINARY_DIR}/lucid.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/lucid.pc"
  DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
