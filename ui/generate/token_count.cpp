#include "ui/generate/token_count.h"

#include "core/text/prompt_chunks.h"

#include <algorithm>

namespace sg::ui {

TokenCount countPromptTokens(const QString &prompt)
{
    constexpr int kChunk = static_cast<int>(kChunkTokens);
    const Expected<std::int64_t> counted = countTokens(prompt.toStdString());
    if (!counted) return {0, kChunk, QString::fromStdString(counted.error().message)};
    const int tokens = static_cast<int>(*counted);
    return {tokens, std::max(1, (tokens + kChunk - 1) / kChunk) * kChunk, {}};
}

}  // namespace sg::ui
