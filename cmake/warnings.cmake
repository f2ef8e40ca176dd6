# INTERFACE targets that carry warnings and strictness; every library and program of ours links one of them.
add_library(sg_warnings INTERFACE)
target_compile_options(sg_warnings INTERFACE -Wall -Wextra -Wpedantic -Wnon-virtual-dtor -Woverloaded-virtual
    -Wimplicit-fallthrough -Wextra-semi
    $<$<AND:$<BOOL:${SERIGRAPH_UNITY}>,$<CXX_COMPILER_ID:GNU>>:-Wno-subobject-linkage>   # takes joined files for headers
    -Wno-restrict   # false alarms on "text" + std::string: GCC bug 105651
    $<$<BOOL:${SERIGRAPH_WERROR}>:-Werror>)
target_compile_options(sg_warnings INTERFACE -fstack-protector-strong $<$<CONFIG:Release>:-D_FORTIFY_SOURCE=2>)
target_compile_definitions(sg_warnings INTERFACE _GLIBCXX_ASSERTIONS)
# Lets ccache see through precompiled headers.
target_compile_options(sg_warnings INTERFACE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
target_link_options(sg_warnings INTERFACE -Wl,-z,relro,-z,now)

# What Qt code is held to: no implicit casts from bytes, no bare keywords, Qt 6.4 and no older habits.
add_library(sg_qt_strict INTERFACE)
target_compile_definitions(sg_qt_strict INTERFACE QT_NO_KEYWORDS QT_NO_CAST_FROM_ASCII QT_NO_CAST_TO_ASCII
    QT_NO_CAST_FROM_BYTEARRAY QT_NO_URL_CAST_FROM_STRING QT_DISABLE_DEPRECATED_BEFORE=0x060400 QT_STRICT_ITERATORS)
