#pragma once

#include "core/params/param_table.h"

#include <QMainWindow>

class QActionGroup;
class QStackedWidget;

namespace sg::ui {

class ApiClient;
class GeneratePage;
class LogPage;
class ModelStore;
class ModelsPage;
class NavRail;
class ServerPage;
class ServerStore;
class StatusLine;
class Theme;
class UiSettings;

/// The window: rail, pages, menus, status line. Everything it knows comes from the API.
class MainWindow final : public QMainWindow {
    Q_OBJECT
public:
    enum Page { Generate, Models, Server, Log, PageCount };

    /// `table` is shown until the server's own arrives.
    MainWindow(ApiClient &client, UiSettings &settings, Theme &theme, const ParamTable &table,
               QWidget *parent = nullptr);
    ~MainWindow() override;

    void showPage(int page);
    int page() const;
    /// "generate", "models", "server", "log"; -1 for others.
    static int pageFromName(const QString &name);

    GeneratePage &generatePage() { return *m_generate; }
    ModelsPage &modelsPage() { return *m_models; }
    ServerPage &serverPage() { return *m_server; }
    LogPage &logPage() { return *m_log; }

public Q_SLOTS:
    /// Second start of the program: comes to the front.
    void raiseWindow();

protected:
    void closeEvent(QCloseEvent *event) override;

private:
    void makePages();
    void makeMenus();
    void makeViewMenu();
    void wire();
    void connectToServer();
    void restore();
    void remember();
    void openOutputFolder();
    void about();

    ApiClient &m_client;
    UiSettings &m_settings;
    Theme &m_theme;
    ModelStore *m_modelStore;
    ServerStore *m_serverStore;
    NavRail *m_rail;
    QStackedWidget *m_stack;
    StatusLine *m_status;
    GeneratePage *m_generate;
    ModelsPage *m_models;
    ServerPage *m_server;
    LogPage *m_log;
    QActionGroup *m_themeActions = nullptr;
    bool m_restoring = false;
};

}  // namespace sg::ui
