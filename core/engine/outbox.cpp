#include "core/engine/outbox.h"

#include "core/base/frame.h"
#include "core/base/log.h"
#include "core/picture/infotext.h"
#include "core/picture/jpeg_codec.h"
#include "core/picture/png_codec.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>

namespace sg::engine {
namespace {

constexpr int kMaxWaitingPictures = 8;
constexpr int kPreviewQuality = 85;

bool writeAll(int fd, std::string_view bytes)
{
    while (!bytes.empty()) {
        const ssize_t written = ::write(fd, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

}  // namespace

Outbox::Outbox(int fd, std::function<void()> onBroken) : m_fd(fd), m_onBroken(std::move(onBroken))
{
    m_thread = std::thread([this] { run(); });
}

Outbox::~Outbox()
{
    if (!closeWithin(std::chrono::hours(1))) std::terminate();
}

void Outbox::send(Json header)
{
    push({Kind::Event, std::move(header), {}, {}});
}

void Outbox::sendPreview(Json header, Image picture)
{
    {
        const std::lock_guard lock(m_mutex);
        const auto waiting =
            std::find_if(m_items.begin(), m_items.end(), [](const Item &item) { return item.kind == Kind::Preview; });
        if (waiting != m_items.end()) m_items.erase(waiting);
    }
    push({Kind::Preview, std::move(header), std::move(picture), {}});
}

void Outbox::waitForRoom()
{
    std::unique_lock lock(m_mutex);
    m_changed.wait(lock, [this] { return m_pictures < kMaxWaitingPictures || m_broken; });
    ++m_pictures;
}

void Outbox::sendBytes(Json header, std::string payload)
{
    waitForRoom();
    push({Kind::Bytes, std::move(header), {}, std::move(payload)});
}

void Outbox::sendPicture(Json header, Image picture, std::string parameters)
{
    waitForRoom();
    push({Kind::Picture, std::move(header), std::move(picture), std::move(parameters)});
}

void Outbox::push(Item item)
{
    {
        const std::lock_guard lock(m_mutex);
        if (m_broken) return;
        m_items.push_back(std::move(item));
    }
    m_changed.notify_all();
}

bool Outbox::closeWithin(std::chrono::milliseconds patience)
{
    if (!m_thread.joinable()) return true;
    std::unique_lock lock(m_mutex);
    m_closing = true;
    m_changed.notify_all();
    if (!m_changed.wait_for(lock, patience, [this] { return m_ended; })) return false;
    lock.unlock();
    m_thread.join();
    return true;
}

bool Outbox::writeItem(const Item &item)
{
    if (item.kind == Kind::Event || item.kind == Kind::Bytes)
        return writeAll(m_fd, encodeFrame(item.header, item.text));
    if (item.kind == Kind::Preview)
        return writeAll(m_fd, encodeFrame(item.header, encodeJpeg(item.picture, kPreviewQuality)));
    std::vector<TextChunk> texts;
    if (!item.text.empty()) texts.push_back({std::string(kInfotextKeyword), item.text});
    return writeAll(m_fd, encodeFrame(item.header, encodePng(item.picture, texts)));
}

void Outbox::run()
{
    std::unique_lock lock(m_mutex);
    while (!m_broken) {
        m_changed.wait(lock, [this] { return !m_items.empty() || m_closing; });
        if (m_items.empty()) break;
        const Item item = std::move(m_items.front());
        m_items.pop_front();
        lock.unlock();
        const bool written = writeItem(item);
        lock.lock();
        if (item.kind == Kind::Picture || item.kind == Kind::Bytes) --m_pictures;
        if (!written) m_broken = true;
        m_changed.notify_all();
    }
    m_items.clear();
    m_ended = true;
    const bool broken = m_broken;
    m_changed.notify_all();
    lock.unlock();
    if (broken) m_onBroken();
}

}  // namespace sg::engine
