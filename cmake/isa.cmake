# Kernels compiled once for every ISA level and chosen at run time.
#
# isthmus_add_isa_objects(target dir) compiles dir/*.isa.cpp for each level with -DIST_ISA=<level> and adds the objects
# to everything that links `target`. The linker keeps one copy of a weak function, of whichever level came first, so an
# object that defines one could crash older machines: a check fails the build when an object defines a weak symbol, or
# more than its one table getter, or contracts a product and a sum that the source keeps apart.

set(ISTHMUS_ISA_CHECK ${CMAKE_CURRENT_LIST_DIR}/check_isa_objects.cmake)

function(isthmus_add_isa_objects target dir)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$" AND NOT CMAKE_OSX_ARCHITECTURES MATCHES "arm64")
    set(levels v1 v3 v4 v4_bf16 v4_amx)
    set(flags_v1 -march=x86-64 -mtune=generic)
    set(flags_v3 -march=x86-64-v3 -mtune=generic)
    set(flags_v4 -march=x86-64-v4 -mtune=generic -mprefer-vector-width=512)
    # Instructions for products of bfloat16, which have a family of their own; the other tables are those of v4.
    set(flags_v4_bf16 ${flags_v4} -mavx512bf16)
    set(flags_v4_amx ${flags_v4_bf16} -mamx-tile -mamx-bf16)
    set(levels_bf16 v4_bf16 v4_amx)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$" OR CMAKE_OSX_ARCHITECTURES MATCHES "arm64")
    set(levels neon)
    set(flags_neon "")
  else()
    message(FATAL_ERROR "the cpu backend has no kernels for ${CMAKE_SYSTEM_PROCESSOR}; x86-64 and arm64 are supported")
  endif()

  # Instrumented kernels take minutes to optimise; what sanitizers look for does not depend on it. Short loops lose up to
  # a quarter where they lie across fetch lines: without alignment, any change of other code moves them. (-O2 with the
  # same vectorisation compiles in a fifth less, but sums are half as fast.)
  set(optimise -O3 -falign-loops=64)
  if(ISTHMUS_SANITIZE)
    set(optimise -O1)
  endif()

  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${dir}/*.isa.cpp)
  set(all_objects "")
  foreach(level IN LISTS levels)
    set(objects ${target}_isa_${level})
    set(chosen ${sources})
    if(level IN_LIST levels_bf16)
      list(FILTER chosen INCLUDE REGEX "/matmul_bf16\\.isa\\.cpp$")
    else()
      list(FILTER chosen EXCLUDE REGEX "/matmul_bf16\\.isa\\.cpp$")
    endif()
    add_library(${objects} OBJECT ${chosen})
    target_link_libraries(${objects} PRIVATE isthmus_flags)
    target_compile_options(${objects} PRIVATE ${optimise} ${flags_${level}})
    target_compile_definitions(${objects} PRIVATE IST_ISA=${level})
    # An object library cannot hold foreign objects, so they travel with its interface to whoever links it.
    target_sources(${target} INTERFACE $<TARGET_OBJECTS:${objects}>)
    list(APPEND all_objects $<TARGET_OBJECTS:${objects}>)
  endforeach()

  # Sanitizers add weak symbols of their own.
  if(CMAKE_NM AND NOT ISTHMUS_SANITIZE)
    set(list_file ${CMAKE_CURRENT_BINARY_DIR}/${target}_isa_objects.txt)
    file(GENERATE OUTPUT ${list_file} CONTENT "$<JOIN:${all_objects},\n>\n")
    set(stamp ${CMAKE_CURRENT_BINARY_DIR}/${target}_isa_objects.stamp)
    add_custom_command(
      OUTPUT ${stamp}
      COMMAND ${CMAKE_COMMAND} -DNM=${CMAKE_NM} -DOBJDUMP=${CMAKE_OBJDUMP} -DLIST=${list_file} -P ${ISTHMUS_ISA_CHECK}
      COMMAND ${CMAKE_COMMAND} -E touch ${stamp}
      DEPENDS ${all_objects} ${list_file} ${ISTHMUS_ISA_CHECK}
      COMMAND_EXPAND_LISTS VERBATIM
      COMMENT "Checking the ISA objects")
    add_custom_target(${target}_isa_check ALL DEPENDS ${stamp})
  endif()
endfunction()
