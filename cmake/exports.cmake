# isthmus_export_only(target pattern) keeps everything out of a library's dynamic symbols but `pattern`. Hidden
# visibility alone does not: the C++ library's headers give their templates default visibility, and the dynamic linker
# would then merge them with those of whatever other library is loaded.
function(isthmus_export_only target pattern)
  set(file ${CMAKE_CURRENT_BINARY_DIR}/${target}.exports)
  if(APPLE)
    file(CONFIGURE OUTPUT ${file} CONTENT "_${pattern}\n" @ONLY)
    target_link_options(${target} PRIVATE "LINKER:-exported_symbols_list,${file}")
  elseif(UNIX)
    file(CONFIGURE OUTPUT ${file} CONTENT "{ global: ${pattern}; local: *; };\n" @ONLY)
    target_link_options(${target} PRIVATE "LINKER:--version-script=${file}")
  endif()
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${file})
endfunction()
