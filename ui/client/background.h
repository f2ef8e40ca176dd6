#pragma once

#include <QCoreApplication>
#include <QObject>
#include <QPointer>
#include <QThreadPool>

#include <memory>
#include <utility>

namespace sg::ui {

/// Runs `work` in the thread pool and hands its value to `done` in the main thread, unless `context` has gone by then.
/// Thread  call from the main thread; `work` must capture values only.
template <class Work, class Done>
void inBackground(QObject *context, Work work, Done done)
{
    QThreadPool::globalInstance()->start(
        [guard = QPointer<QObject>(context), work = std::move(work), done = std::move(done)]() mutable {
            using Value = decltype(work());
            auto value = std::make_shared<Value>(work());
            QMetaObject::invokeMethod(
                QCoreApplication::instance(),
                [guard, done = std::move(done), value]() mutable {
                    if (guard) done(std::move(*value));
                },
                Qt::QueuedConnection);
        });
}

}  // namespace sg::ui
