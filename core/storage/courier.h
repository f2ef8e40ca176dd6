#pragma once

#include "core/base/expected.h"

#include <QObject>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>

namespace sg {

/// Carries one wake-up from any thread to an object's thread; a connection, unlike a pointer, survives the object's
/// end.
class Courier final : public QObject {
    Q_OBJECT
Q_SIGNALS:
    void arrived();
};

/// A reply that is called once, in `context`'s thread, and never when `context` has gone. Without a context it is
/// called at once. Thread  made in any thread while `context` lives; called in any other.
template <class T>
class PendingReply {
public:
    using Function = std::function<void(Expected<T>)>;

    PendingReply(QObject *context, Function function)
    {
        if (!context) {
            m_direct = std::move(function);
            return;
        }
        m_state = std::make_shared<State>();
        QObject::connect(
            &m_state->courier, &Courier::arrived, context,
            [slot = m_state->slot, function = std::move(function)] {
                std::optional<Expected<T>> value;
                {
                    const std::lock_guard lock(slot->mutex);
                    value.swap(slot->value);
                }
                if (value && function) function(std::move(*value));
            },
            Qt::QueuedConnection);
    }

    void operator()(Expected<T> value) const
    {
        if (!m_state) {
            if (m_direct) m_direct(std::move(value));
            return;
        }
        {
            const std::lock_guard lock(m_state->slot->mutex);
            m_state->slot->value.emplace(std::move(value));
        }
        Q_EMIT m_state->courier.arrived();
    }

private:
    struct Held {
        std::mutex mutex;
        std::optional<Expected<T>> value;
    };
    using Slot = std::shared_ptr<Held>;
    struct State {
        Courier courier;
        Slot slot = std::make_shared<Held>();
    };
    std::shared_ptr<State> m_state;
    Function m_direct;
};

}  // namespace sg
