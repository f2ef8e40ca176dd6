#include "core/server/style_file.h"

#include <QFile>

#include <algorithm>

namespace sg::server {

Expected<std::vector<PromptStyle>> readStyles(const std::filesystem::path &file)
{
    QFile csv(QString::fromStdString(file.string()));
    if (file.empty() || !csv.exists()) return std::vector<PromptStyle>{};
    if (!csv.open(QIODevice::ReadOnly))
        return fail(ErrorCode::Internal, "styles.csv cannot be read: " + csv.errorString().toStdString(), "styles");
    // One byte more than may be there shows that there is more.
    return parseStyles(csv.read(static_cast<qint64>(kMaxStylesFile) + 1).toStdString());
}

Expected<void> applyStyles(const std::filesystem::path &file, ParsedParams &parsed)
{
    const std::vector<std::string> names = styleNames(parsed.values.get<std::string>("styles"));
    if (names.empty()) return {};
    const Expected<std::vector<PromptStyle>> styles = readStyles(file);
    if (!styles) return Unexpected{styles.error()};
    for (const std::string &name : names) {
        const auto style =
            std::find_if(styles->begin(), styles->end(), [&](const PromptStyle &one) { return one.name == name; });
        if (style == styles->end()) {
            parsed.notes.push_back("there is no style \"" + name.substr(0, 80) + "\"");
            continue;
        }
        for (const auto &[key, text] :
             {std::pair("prompt", &style->prompt), std::pair("negative_prompt", &style->negativePrompt),
              std::pair("hr_prompt", &style->prompt), std::pair("hr_negative_prompt", &style->negativePrompt)}) {
            // Hires fix has the first pass's prompts where it has none of its own.
            const ParamValue *written = parsed.values.find(key);
            if (!written || (std::string_view(key).starts_with("hr_") && !asksForSomething(*written))) continue;
            Expected<std::string> made = withStyle(*text, parsed.values.get<std::string>(key));
            if (!made) return Unexpected{made.error()};
            parsed.values.set(key, std::move(*made));
        }
    }
    parsed.values.set("styles", std::string());
    return {};
}

}  // namespace sg::server
