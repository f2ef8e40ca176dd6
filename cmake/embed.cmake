# sg_embed(target symbol file): the bytes of `file` in the program, as `extern "C" const unsigned char <symbol>[]` and `<symbol>_end[]`.
function(sg_embed target symbol file)
    set(assembly ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.S)
    file(CONFIGURE OUTPUT ${assembly} @ONLY CONTENT [[
    .section .rodata
    .global @symbol@
    .global @symbol@_end
    .balign 16
@symbol@:
    .incbin "@file@"
@symbol@_end:
    .byte 0
    .section .note.GNU-stack,"",@progbits
]])
    set_source_files_properties(${assembly} PROPERTIES OBJECT_DEPENDS ${file})
    target_sources(${target} PRIVATE ${assembly})
endfunction()
