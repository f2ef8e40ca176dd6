#pragma once

#include "core/base/error.h"
#include "ui/client/api_types.h"

#include <QObject>
#include <QTimer>

#include <vector>

namespace sg::ui {

class ApiClient;

/// The server's models as the window knows them: asked for at the start, often while a scan runs or the Models page is
/// open, rarely else. Thread  main.
class ModelStore final : public QObject {
    Q_OBJECT
public:
    explicit ModelStore(ApiClient &client, QObject *parent = nullptr);

    void start();
    /// Someone looks: refresh often.
    void setWatched(bool watched);
    void refresh();

    void addPaths(const QStringList &paths);
    void removeFolder(const QString &path);
    void rescan();
    /// What the user says of a checkpoint, in the place of what was said before.
    void choose(const QString &name, const Json &choices);

    const std::vector<ModelInfo> &models() const { return m_models; }
    const FolderState &folders() const { return m_folders; }

Q_SIGNALS:
    void modelsChanged(const std::vector<sg::ui::ModelInfo> &models);
    void foldersChanged(const sg::ui::FolderState &folders);
    void failed(const sg::Error &error);

private:
    void askFolders();
    void askModels();
    void schedule();

    ApiClient &m_client;
    QTimer m_timer;
    std::vector<ModelInfo> m_models;
    FolderState m_folders;
    bool m_known = false;
    bool m_watched = false;
    bool m_asking = false;
    bool m_soon = false;
};

}  // namespace sg::ui
