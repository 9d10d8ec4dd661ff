# Of dermis::edge, what runs once, when a model is loaded, is compiled for size; what runs for every image, for speed.
function(dermis_load_for_size)
  set(once ${ARGN})
  list(FILTER once EXCLUDE REGEX "/(kernels_[a-z0-9]+|inference|model|team|weights|resize|dermoscopy[a-z_]*)\\.cpp$")
  set_source_files_properties(${once} PROPERTIES COMPILE_OPTIONS $<$<NOT:$<CONFIG:Debug>>:-Os>)
endfunction()
