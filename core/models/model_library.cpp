#include "core/models/model_library.h"

#include "core/models/model_scanner.h"
#include "core/storage/courier.h"

#include <QThread>

#include <mutex>

namespace sg {

class ModelLibrary::Private {
public:
    template <class Function>
    void post(Function function)
    {
        QMetaObject::invokeMethod(scanner, std::move(function), Qt::QueuedConnection);
    }
    /// Counted from here, so that scanning() is true before the thread gets to it.
    void postScan()
    {
        ++state.pendingScans;
        post([this] { scanner->scan(); });
    }
    std::shared_ptr<const std::vector<ModelRecord>> snapshot()
    {
        const std::lock_guard lock(state.mutex);
        return state.models;
    }

    LibraryState state;
    QThread thread;
    ModelScanner *scanner = nullptr;
};

ModelLibrary::ModelLibrary(std::filesystem::path databaseFile, QObject *parent)
    : QObject(parent), d(std::make_unique<Private>())
{
    d->scanner = new ModelScanner(std::move(databaseFile), d->state);
    d->scanner->moveToThread(&d->thread);
    d->thread.setObjectName(QStringLiteral("library"));
    connect(&d->thread, &QThread::finished, d->scanner, &QObject::deleteLater);
    connect(d->scanner, &ModelScanner::changed, this, &ModelLibrary::changed, Qt::DirectConnection);
    connect(d->scanner, &ModelScanner::scanProgress, this, &ModelLibrary::scanProgress, Qt::DirectConnection);
    ++d->state.pendingScans;
    d->post([scanner = d->scanner] { scanner->open(); });
    d->thread.start();
}

ModelLibrary::~ModelLibrary()
{
    d->state.stopped = true;
    d->thread.quit();
    d->thread.wait();
}

std::vector<ModelRecord> ModelLibrary::models() const
{
    return *d->snapshot();
}

std::optional<ModelRecord> ModelLibrary::find(std::string_view id, std::string_view type) const
{
    return findModel(*d->snapshot(), id, type);
}

std::vector<std::string> ModelLibrary::folders() const
{
    const std::lock_guard lock(d->state.mutex);
    return d->state.folders;
}

bool ModelLibrary::scanning() const
{
    return d->state.pendingScans > 0;
}

ModelLibrary::ScanCounts ModelLibrary::lastScan() const
{
    return {d->state.filesListed, d->state.headersRead};
}

void ModelLibrary::addPath(const std::string &path, bool remember, QObject *context, Reply reply)
{
    ++d->state.pendingScans;
    d->post([p = d.get(), path, remember, pending = PendingReply<void>(context, std::move(reply))] {
        Expected<void> added = p->scanner->addPath(path, remember);
        const bool ok = added.has_value();
        pending(std::move(added));
        if (ok)
            p->scanner->scan();
        else
            --p->state.pendingScans;
    });
}

void ModelLibrary::removeFolder(const std::string &path, QObject *context, Reply reply)
{
    ++d->state.pendingScans;
    d->post([p = d.get(), path, pending = PendingReply<void>(context, std::move(reply))] {
        Expected<void> removed = p->scanner->removeFolder(path);
        const bool ok = removed.has_value();
        pending(std::move(removed));
        if (ok)
            p->scanner->scan();
        else
            --p->state.pendingScans;
    });
}

void ModelLibrary::rescan()
{
    d->postScan();
}

void ModelLibrary::choose(const std::string &id, const ModelChoices &choices, QObject *context, RecordReply reply)
{
    const std::optional<ModelRecord> model = find(id);
    if (!model) return reply(fail(ErrorCode::NotFound, "no such model", "name"));
    if (model->type != "stableDiffusion")
        return reply(fail(ErrorCode::InvalidArgument, "\"" + model->name + "\" is no checkpoint", "name"));
    d->post(
        [scanner = d->scanner, path = model->path, choices,
         pending = PendingReply<ModelRecord>(context, std::move(reply))] { pending(scanner->choose(path, choices)); });
}

void ModelLibrary::setLoaded(const std::string &path, bool loaded)
{
    d->post([scanner = d->scanner, path, loaded] { scanner->setLoaded(path, loaded); });
}

void ModelLibrary::setBusy(bool busy)
{
    d->state.busy = busy;
}

void ModelLibrary::hashSoon(const std::string &path)
{
    d->post([scanner = d->scanner, path] { scanner->hashSoon(path); });
}

}  // namespace sg
