# Qt's and nlohmann's headers take longer to read than our files to compile: once for code without widgets, once with.
# Of Qt only Core and Widgets: the compiler refuses headers that were made with a macro (QT_NETWORK_LIB) that the file lacks.
# Only headers from outside: ours must stand alone, which -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON shows.
if(SERIGRAPH_APPS)
    file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/empty.cpp CONTENT "")
    function(_sg_add_headers name)
        add_library(${name} STATIC ${CMAKE_BINARY_DIR}/empty.cpp)
        target_link_libraries(${name} PRIVATE sg_outside_json sg_warnings sg_qt_strict ${ARGN})
    endfunction()
    set(_sg_common <nlohmann/json.hpp> <algorithm> <chrono> <filesystem> <functional> <map> <memory> <optional> <set> <string>
        <string_view> <vector> <QByteArray> <QDateTime> <QHash> <QObject> <QString> <QStringList> <QTimer>)
    _sg_add_headers(sg_headers_core Qt6::Core)
    target_precompile_headers(sg_headers_core PRIVATE ${_sg_common})
    _sg_add_headers(sg_headers_widgets Qt6::Widgets)
    target_precompile_headers(sg_headers_widgets PRIVATE ${_sg_common} <QApplication> <QBoxLayout> <QComboBox> <QLabel> <QLineEdit>
        <QPainter> <QPushButton> <QToolButton> <QWidget>)
endif()

# sg_reuse_qt_headers(target names…): for a library or program that links those outside libraries or folders.
function(sg_reuse_qt_headers target)
    get_target_property(type ${target} TYPE)
    if(type STREQUAL EXECUTABLE)
        # Compiled as the headers are, or the compiler refuses them.
        set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
        target_compile_options(${target} PRIVATE -fPIC)
    endif()
    # GCC 12 forgets which lines of precompiled headers are the system's, and its false alarms about std::string come through.
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds> $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overflow>
        $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overread> $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
    if("qtwidgets" IN_LIST ARGN OR "ui" IN_LIST ARGN)
        target_precompile_headers(${target} REUSE_FROM sg_headers_widgets)
    else()
        target_precompile_headers(${target} REUSE_FROM sg_headers_core)
    endif()
endfunction()
