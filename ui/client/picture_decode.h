#pragma once

#include "ui/client/api_types.h"

#include <QByteArray>
#include <QImage>

namespace sg::ui {

/// A PNG, JPEG or WebP file as a picture that can be drawn without conversion; null when it is none of them or breaks
/// their rules. Thread  any; takes milliseconds a megapixel, so not the main one.
QImage decodePicture(const QByteArray &file);

/// A finished picture: decoded, with thumbnail and infotext.
Picture readPicture(QByteArray png);

}  // namespace sg::ui
