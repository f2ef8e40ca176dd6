#pragma once

#include "core/server/services.h"
#include "ui/client/api_client.h"
#include "ui/shell/main_window.h"
#include "ui/shell/ui_settings.h"
#include "ui/widgets/theme.h"

#include <QTemporaryDir>

#include <memory>

namespace sg::test {

/// The desktop as the program wires it: real services in a data folder of their own, and windows that are clients of
/// them.
class DesktopFixture {
public:
    enum class Engine { Null, Real };

    explicit DesktopFixture(Engine engine, int nullStepMs = 20);
    ~DesktopFixture();

    /// What start() takes.
    ServicesConfig &config() { return m_config; }
    /// Empty text, or why the services did not start.
    QString start();
    /// A window with the settings of this data folder, shown and active; models and table have arrived.
    bool openWindow();
    void closeWindow();

    ui::MainWindow &window() { return *m_window; }
    ui::ApiClient &client() { return *m_client; }
    ui::Theme &theme() { return *m_theme; }
    Services &services() { return *m_services; }
    QString dataDir() const { return m_data.path(); }

private:
    QTemporaryDir m_data;
    ServicesConfig m_config;
    std::unique_ptr<Services> m_services;
    std::unique_ptr<ui::ApiClient> m_client;
    std::unique_ptr<ui::UiSettings> m_settings;
    std::unique_ptr<ui::Theme> m_theme;
    std::unique_ptr<ui::MainWindow> m_window;
};

}  // namespace sg::test
