# Target isthmus_abi_lock: fails the build when the ABI that the headers and ops.def describe differs from the committed
# cpp/abi/abi.lock. `just abi-lock` writes the lock anew.
if(CMAKE_CROSSCOMPILING OR NOT CMAKE_SIZEOF_VOID_P EQUAL 8)
  add_custom_target(isthmus_abi_lock) # the lock describes 64-bit targets, and its program has to run here
  return()
endif()

set(abi_dir ${CMAKE_CURRENT_SOURCE_DIR}/cpp/abi)
add_executable(isthmus_abi_print EXCLUDE_FROM_ALL ${abi_dir}/abi_lock.c)
target_include_directories(isthmus_abi_print PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/cpp)
if(EXISTS ${abi_dir}/isthmus.h)
  target_compile_definitions(isthmus_abi_print PRIVATE ISTHMUS_ABI_HAS_EMBEDDING)
endif()

set(abi_stamp ${CMAKE_CURRENT_BINARY_DIR}/abi.checked)
set(abi_script ${CMAKE_CURRENT_SOURCE_DIR}/cmake/abi_compare.cmake)
add_custom_command(
  OUTPUT ${abi_stamp}
  COMMAND ${CMAKE_COMMAND} -DPRINT=$<TARGET_FILE:isthmus_abi_print> -DLOCK=${abi_dir}/abi.lock -DSTAMP=${abi_stamp} -P
          ${abi_script}
  DEPENDS isthmus_abi_print ${abi_dir}/abi.lock ${abi_script}
  COMMENT "Comparing the ABI with abi.lock"
  VERBATIM)
add_custom_target(isthmus_abi_lock DEPENDS ${abi_stamp})
