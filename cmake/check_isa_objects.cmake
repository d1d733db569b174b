# cmake -DNM=nm [-DOBJDUMP=objdump] -DLIST=objects.txt -P check_isa_objects.cmake
# Fails when an object defines a weak symbol or not exactly one global one, or holds an instruction that multiplies and
# then adds and subtracts in turn: nothing here asks for those, but GCC makes them of a*b - c*d beside a*d + b*c in
# spite of -ffp-contract=off, and the bit contract is broken.
file(STRINGS ${LIST} objects)
foreach(object IN LISTS objects)
  execute_process(COMMAND ${NM} -g ${object} OUTPUT_VARIABLE text RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${NM} cannot read ${object}")
  endif()
  string(REGEX MATCHALL "[0-9a-fA-F]+ [A-TV-Zuvw] [^\n]+" defined "${text}")
  set(globals "")
  foreach(symbol IN LISTS defined)
    if(symbol MATCHES " [WVwvu] ")
      message(FATAL_ERROR "${object} defines a weak symbol, which the linker may take from another ISA level: ${symbol}")
    endif()
    list(APPEND globals "${symbol}")
  endforeach()
  list(LENGTH globals count)
  if(NOT count EQUAL 1)
    message(FATAL_ERROR "${object} must define one global symbol, its table getter, but defines ${count}: ${globals}")
  endif()
  if(OBJDUMP)
    # Matching goes on outside of CMake where it can: the listings have megabytes.
    execute_process(COMMAND ${OBJDUMP} -d --no-show-raw-insn ${object} COMMAND grep -m 1 -E "vfm(addsub|subadd)"
                    OUTPUT_VARIABLE contracted ERROR_QUIET)
    if(contracted)
      string(STRIP "${contracted}" contracted)
      message(FATAL_ERROR "${object} contracts a product and a sum (${contracted}): write the complex product with "
                          "scalar::multiply, or keep the compiler from pairing the two lines")
    endif()
  endif()
endforeach()
