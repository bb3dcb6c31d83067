# Finds a CBLAS with LAPACK and describes it to the rest of the build:
#   lucid_blas          interface target to link
#   LUCID_BLAS_PREFIX   prefix of its symbols ("" or scipy_)
#   LUCID_BLAS_PC_LIBS  the same for the pkg-config file

add_library(lucid_blas INTERFACE)
set(LUCID_BLAS_PREFIX "")

if(LUCID_BLAS STREQUAL "scipy")
  find_package(Python 3.11 REQUIRED COMPONENTS Interpreter)
  execute_process(
    COMMAND "${Python_EXECUTABLE}" -c
      "import scipy_openblas32 as b; print(b.get_lib_dir(), b.get_library(), sep=';', end='')"
    OUTPUT_VARIABLE blas_where COMMAND_ERROR_IS_FATAL ANY)
  list(GET blas_where 0 blas_dir)
  list(GET blas_where 1 blas_name)
  # Not cached: the package moves with the environment that pip builds in.
  set(blas_file
    "${blas_dir}/${CMAKE_SHARED_LIBRARY_PREFIX}${blas_name}${CMAKE_SHARED_LIBRARY_SUFFIX}")
  if(NOT EXISTS "${blas_file}")
    message(FATAL_ERROR "scipy-openblas32 has no library ${blas_file}")
  endif()
  target_link_libraries(lucid_blas INTERFACE "${blas_file}")
  set(LUCID_BLAS_PREFIX "scipy_")
  set(LUCID_BLAS_PC_LIBS "-L${blas_dir} -l${blas_name}")
elseif(LUCID_BLAS STREQUAL "auto")
  if(NOT BLA_VENDOR)
    find_package(PkgConfig QUIET)
    if(PkgConfig_FOUND)
      pkg_check_modules(LUCID_OPENBLAS QUIET openblas)
    endif()
  endif()
  if(LUCID_OPENBLAS_FOUND)
    target_link_libraries(lucid_blas INTERFACE ${LUCID_OPENBLAS_LINK_LIBRARIES})
    string(REPLACE ";" " " LUCID_BLAS_PC_LIBS "${LUCID_OPENBLAS_LDFLAGS}")
    set(blas_file "openblas ${LUCID_OPENBLAS_VERSION}")
  else()
    find_package(BLAS REQUIRED)
    find_package(LAPACK REQUIRED)
    target_link_libraries(lucid_blas INTERFACE ${LAPACK_LIBRARIES} ${BLAS_LIBRARIES})
    set(blas_file ${LAPACK_LIBRARIES} ${BLAS_LIBRARIES})
    string(REPLACE ";" " " LUCID_BLAS_PC_LIBS "${blas_file}")
  endif()
else()
  message(FATAL_ERROR "LUCID_BLAS must be auto or scipy, not '${LUCID_BLAS}'")
endif()
message(STATUS "lucid: BLAS is ${blas_file}")
