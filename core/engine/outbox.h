#pragma once

#include "core/base/image.h"
#include "core/base/json.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace sg::engine {

/// Sends the engine's events in the order in which they were given. Its own thread encodes the pictures and writes.
/// Thread  any may send.
class Outbox {
public:
    /// `onBroken` is called once, by the writing thread, when nobody reads any more.
    Outbox(int fd, std::function<void()> onBroken);
    ~Outbox();
    Outbox(const Outbox &) = delete;
    Outbox &operator=(const Outbox &) = delete;

    void send(Json header);
    /// A JPEG. A preview that still waits is replaced by this one: a slow reader drops frames.
    void sendPreview(Json header, Image picture);
    /// An event with bytes. Waits as sendPicture.
    void sendBytes(Json header, std::string payload);
    /// A PNG with `parameters` as its infotext, if there is any. Waits while many pictures are on their way, so that
    /// memory stays bounded.
    void sendPicture(Json header, Image picture, std::string parameters);

    /// Writes what waits, then stops. False when the reader did not take it in time.
    bool closeWithin(std::chrono::milliseconds patience);

private:
    enum class Kind { Event, Preview, Picture, Bytes };
    struct Item {
        Kind kind = Kind::Event;
        Json header;
        Image picture;
        std::string text;  ///< of a picture: its infotext; otherwise the payload
    };
    void waitForRoom();
    void push(Item item);
    void run();
    bool writeItem(const Item &item);

    int m_fd;
    std::function<void()> m_onBroken;
    std::mutex m_mutex;
    std::condition_variable m_changed;
    std::deque<Item> m_items;
    int m_pictures = 0;
    bool m_closing = false;
    bool m_broken = false;
    bool m_ended = false;
    std::thread m_thread;
};

}  // namespace sg::engine
