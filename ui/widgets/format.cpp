#include "ui/widgets/format.h"

#include <QCoreApplication>
#include <QLocale>

#include <cmath>

namespace sg::ui {
namespace {

struct Format {
    Q_DECLARE_TR_FUNCTIONS(Format)
};

}  // namespace

QString sizeText(std::int64_t bytes)
{
    return QLocale().formattedDataSize(bytes, 1, QLocale::DataSizeSIFormat);
}

QString durationText(double seconds)
{
    const auto whole = static_cast<qint64>(std::ceil(seconds));
    if (whole < 60) return Format::tr("%1 s").arg(whole);
    if (whole < 3600) return Format::tr("%1 min %2 s").arg(whole / 60).arg(whole % 60, 2, 10, QLatin1Char('0'));
    return Format::tr("%1 h %2 min").arg(whole / 3600).arg(whole / 60 % 60, 2, 10, QLatin1Char('0'));
}

QString rateText(double stepsPerSecond)
{
    const QLocale locale;
    if (stepsPerSecond <= 0) return {};
    if (stepsPerSecond >= 1) return Format::tr("%1 it/s").arg(locale.toString(stepsPerSecond, 'f', 1));
    return Format::tr("%1 s/it").arg(locale.toString(1 / stepsPerSecond, 'f', 1));
}

}  // namespace sg::ui
