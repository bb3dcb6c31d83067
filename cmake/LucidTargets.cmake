# The core library. A new .c file in a layer's folder is found by itself.

set(LUCID_LAYERS base graph prim transform ops engine cpu)
set(lucid_sources)
foreach(layer IN LISTS LUCID_LAYERS)
  file(GLOB files CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/${layer}/*.c")
  list(APPEND lucid_sources ${files})
endforeach()

# Compiled once per instruction set, and left out of the portable sources.
file(GLOB lucid_isa_sources CONFIGURE_DEPENDS
  "${PROJECT_SOURCE_DIR}/src/cpu/instr_bodies.c" "${PROJECT_SOURCE_DIR}/src/cpu/isa_*.c")
if(lucid_isa_sources)
  list(REMOVE_ITEM lucid_sources ${lucid_isa_sources})
endif()

# Sums of products may be rounded once instead of twice: it is what a BLAS does, and every path of
# these loops does it alike; GCC among the optimisations that it calls expensive.
set_property(SOURCE "${PROJECT_SOURCE_DIR}/src/cpu/isa_matrix.c"
  "${PROJECT_SOURCE_DIR}/src/cpu/isa_lane_products.c" APPEND PROPERTY
  COMPILE_OPTIONS -ffp-contract=fast $<$<C_COMPILER_ID:GNU>:-fexpensive-optimizations>)

# What every operation and every evaluation passes through, however small.
set(LUCID_BUSY_LAYERS base graph transform)
set(LUCID_BUSY_FILES prim/elementwise.c prim/family.c prim/number.c prim/reduction_prims.c
  prim/registry.c prim/shape_prims.c ops/builder.c ops/elementwise_ops.c ops/reduce_ops.c
  engine/evaluate.c engine/plan_cache.c engine/run_plan.c engine/structure.c
  cpu/frame.c cpu/machine.c cpu/run_program.c)
foreach(layer IN LISTS LUCID_BUSY_LAYERS)
  file(GLOB files CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}/src"
    "${PROJECT_SOURCE_DIR}/src/${layer}/*.c")
  list(APPEND LUCID_BUSY_FILES ${files})
endforeach()
list(TRANSFORM LUCID_BUSY_FILES PREPEND "${PROJECT_SOURCE_DIR}/src/")
set_property(SOURCE ${LUCID_BUSY_FILES} APPEND PROPERTY
  COMPILE_OPTIONS $<$<CONFIG:Release>:-O3>)

# Flags that every C file of the project is compiled with.
add_library(lucid_flags INTERFACE)
target_compile_options(lucid_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes
  # The same expression must give the same bits whatever the compiler likes to contract.
  -ffp-contract=off
  # Clang warns of every `omp simd` loop that has no vector form on the machine at hand.
  $<$<C_COMPILER_ID:Clang,AppleClang>:-Wno-pass-failed>
  $<$<BOOL:${LUCID_WERROR}>:-Werror>)
if(LUCID_FUZZ)
  target_compile_options(lucid_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
# POSIX beside ISO C17: threads, clocks, M_PI.
target_compile_definitions(lucid_flags INTERFACE _DEFAULT_SOURCE _POSIX_C_SOURCE=200809L)
if(LUCID_SANITIZE)
  target_compile_options(lucid_flags INTERFACE -fsanitize=${LUCID_SANITIZE}
    -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(lucid_flags INTERFACE -fsanitize=${LUCID_SANITIZE})
endif()
if(LUCID_FUZZ) # coverage, which libFuzzer steers by
  target_compile_options(lucid_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# What compiling a file of the core needs.
add_library(lucid_core_flags INTERFACE)
target_include_directories(lucid_core_flags INTERFACE
  "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/src")
target_compile_definitions(lucid_core_flags INTERFACE
  "LUCID__VERSION=\"${PROJECT_VERSION}\""
  $<$<CONFIG:Debug>:LUCID__DEBUG=1>)
target_compile_options(lucid_core_flags INTERFACE -Wmissing-prototypes)
target_link_libraries(lucid_core_flags INTERFACE lucid_flags OpenMP::OpenMP_C)

function(lucid_object_library name)
  add_library(${name} OBJECT ${ARGN})
  set_target_properties(${name} PROPERTIES
    POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden)
  target_link_libraries(${name} PRIVATE lucid_core_flags)
endfunction()

# Instruction sets: a list of "name flags..." for the machine that we compile for.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set(LUCID_ISAS v2 v3 v4)
else()
  set(LUCID_ISAS base)
endif()
set(lucid_isa_flags_v2 -march=x86-64-v2)
set(lucid_isa_flags_v3 -march=x86-64-v3)
set(lucid_isa_flags_v4 -march=x86-64-v4 -mprefer-vector-width=512)
set(lucid_isa_flags_base)

lucid_object_library(lucid_objects ${lucid_sources})
if(LUCID_BLAS_PREFIX)
  # On the files that call it, so that all others compile the same with any BLAS.
  set_property(SOURCE "${PROJECT_SOURCE_DIR}/src/cpu/blas.c" "${PROJECT_SOURCE_DIR}/src/cpu/lapack.c"
    APPEND PROPERTY
    COMPILE_DEFINITIONS LUCID__BLAS_PREFIX=${LUCID_BLAS_PREFIX})
endif()

set(lucid_all_objects $<TARGET_OBJECTS:lucid_objects>)
# A small call passes through a hundred short functions of many files: a Release build of GCC compiles them as
# one, once, into one object for both libraries, the tests and Python. Clang cannot write such an object.
if(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT LUCID_SANITIZE)
  target_compile_options(lucid_objects PRIVATE -flto -fno-fat-lto-objects)
  set(lucid_core "${CMAKE_CURRENT_BINARY_DIR}/lucid_core.o")
  add_custom_command(OUTPUT "${lucid_core}"
    COMMAND "${CMAKE_C_COMPILER}" -flto=auto -flinker-output=nolto-rel -r -nostdlib
      -o "${lucid_core}" $<TARGET_OBJECTS:lucid_objects>
    DEPENDS lucid_objects $<TARGET_OBJECTS:lucid_objects>
    COMMENT "Compiling the core as one" COMMAND_EXPAND_LISTS VERBATIM)
  add_custom_target(lucid_core DEPENDS "${lucid_core}")
  set_source_files_properties("${lucid_core}" PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
  set(lucid_all_objects "${lucid_core}")
endif()
if(lucid_isa_sources)
  foreach(isa IN LISTS LUCID_ISAS)
    set(target lucid_isa_${isa})
    lucid_object_library(${target} ${lucid_isa_sources})
    target_compile_definitions(${target} PRIVATE LUCID__ISA=${isa})
    target_compile_options(${target} PRIVATE ${lucid_isa_flags_${isa}}
      -fno-math-errno -fno-trapping-math -fopenmp-simd)
    if(NOT LUCID_SANITIZE)
      target_compile_options(${target} PRIVATE -O3)
    elseif(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND LUCID_SANITIZE MATCHES "address")
      # GCC stores 64-byte vectors as if aligned on the sanitizer's stack for frames that have ended,
      # whose frames are not (GCC bug 110027): these files keep to the real stack.
      target_compile_options(${target} PRIVATE --param=asan-use-after-return=0)
    endif()
    if(CMAKE_C_COMPILER_ID STREQUAL "Clang" AND CMAKE_SYSTEM_NAME STREQUAL "Linux"
        AND NOT isa STREQUAL "base")
      target_compile_options(${target} PRIVATE -fveclib=libmvec)
    endif()
    list(APPEND lucid_all_objects $<TARGET_OBJECTS:${target}>)
  endforeach()
endif()

# lucid_static and lucid_shared: the same objects, both called liblucid.
function(lucid_finish_library target)
  set_target_properties(${target} PROPERTIES OUTPUT_NAME lucid LINKER_LANGUAGE C)
  if(TARGET lucid_core)
    add_dependencies(${target} lucid_core)
  endif()
  target_include_directories(${target} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(${target} PRIVATE
    $<BUILD_INTERFACE:lucid_blas> OpenMP::OpenMP_C m)
  if(LUCID_SANITIZE)
    target_link_options(${target} PUBLIC -fsanitize=${LUCID_SANITIZE})
  endif()
endfunction()

add_library(lucid_static STATIC ${lucid_all_objects})
lucid_finish_library(lucid_static)
add_library(lucid::lucid_static ALIAS lucid_static)

if(LUCID_SHARED)
  add_library(lucid_shared SHARED ${lucid_all_objects})
  lucid_finish_library(lucid_shared)
  if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    # The library calls its own functions, whatever else in the process has their names, and without a detour.
    target_link_options(lucid_shared PRIVATE -Wl,-Bsymbolic-functions)
  endif()
  # Before 1.0 any minor version may change the ABI, so the minor version is in the soname.
  set_target_properties(lucid_shared PROPERTIES VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  add_library(lucid::lucid ALIAS lucid_shared)
else()
  add_library(lucid::lucid ALIAS lucid_static)
endif()
