#include "ui/models/model_store.h"

#include "ui/client/api_client.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace sg::ui {

using namespace std::chrono_literals;

ModelStore::ModelStore(ApiClient &client, QObject *parent) : QObject(parent), m_client(client)
{
    m_timer.setSingleShot(true);
    connect(&m_timer, &QTimer::timeout, this, &ModelStore::refresh);
}

void ModelStore::start()
{
    refresh();
}

void ModelStore::setWatched(bool watched)
{
    m_watched = watched;
    if (watched) refresh();
}

void ModelStore::refresh()
{
    if (std::exchange(m_asking, true)) {
        m_soon = true;
        return;
    }
    m_timer.stop();
    askFolders();
}

void ModelStore::askFolders()
{
    m_client.folders(this, [this](Expected<FolderState> folders) {
        if (folders) {
            m_folders = std::move(*folders);
            Q_EMIT foldersChanged(m_folders);
        }
        askModels();
    });
}

void ModelStore::askModels()
{
    m_client.models(this, [this](Expected<std::vector<ModelInfo>> models) {
        m_asking = false;
        if (!models) {
            if (!m_known) Q_EMIT failed(models.error());
        } else if (!std::exchange(m_known, true) || *models != m_models) {
            m_models = std::move(*models);
            Q_EMIT modelsChanged(m_models);
        }
        schedule();
    });
}

void ModelStore::schedule()
{
    const bool soon = std::exchange(m_soon, false);
    const auto busy = m_folders.scanning || !m_known;
    m_timer.start(soon ? 50ms : busy ? 700ms : m_watched ? 2000ms : 10'000ms);
}

void ModelStore::addPaths(const QStringList &paths)
{
    for (const QString &path : paths)
        m_client.addFolder(path, this, [this](const Expected<Json> &reply) {
            if (!reply) Q_EMIT failed(reply.error());
            refresh();
        });
}

void ModelStore::removeFolder(const QString &path)
{
    m_client.removeFolder(path, this, [this](const Expected<Json> &reply) {
        if (!reply) Q_EMIT failed(reply.error());
        refresh();
    });
}

void ModelStore::choose(const QString &name, const Json &choices)
{
    // At once, so that a second choice adds to the first before the server has answered; if it refuses, refresh() takes
    // it back.
    const auto known = std::find_if(m_models.begin(), m_models.end(),
                                    [&](const ModelInfo &model) { return model.isCheckpoint() && model.name == name; });
    if (known != m_models.end()) {
        known->choices = choices;
        Q_EMIT modelsChanged(m_models);
    }
    m_client.chooseForModel(name, choices, this, [this](const Expected<Json> &reply) {
        if (!reply) Q_EMIT failed(reply.error());
        refresh();
    });
}

void ModelStore::rescan()
{
    m_client.rescan(this, [this](const Expected<Json> &reply) {
        if (!reply) Q_EMIT failed(reply.error());
        refresh();
    });
}

}  // namespace sg::ui
