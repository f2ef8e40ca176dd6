#pragma once

#include <QString>

#include <cstdint>

namespace sg::ui {

/// "20.3 MB", in the user's locale.
QString sizeText(std::int64_t bytes);
/// "45 s", "3 min 05 s", "1 h 12 min".
QString durationText(double seconds);
/// "3.4 it/s", or "2.1 s/it" below one.
QString rateText(double stepsPerSecond);

}  // namespace sg::ui
