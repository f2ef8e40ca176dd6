#include "ui/client/error_text.h"

#include <QCoreApplication>

namespace sg::ui {
namespace {

struct Errors {
    Q_DECLARE_TR_FUNCTIONS(Errors)
};

QString kindText(ErrorCode code)
{
    switch (code) {
    case ErrorCode::InvalidArgument:
        return Errors::tr("This value cannot be used");
    case ErrorCode::NotFound:
        return Errors::tr("Not found");
    case ErrorCode::Conflict:
        return Errors::tr("It exists already");
    case ErrorCode::Forbidden:
        return Errors::tr("Not allowed");
    case ErrorCode::Expired:
        return Errors::tr("The link has expired");
    case ErrorCode::TooLarge:
        return Errors::tr("Too large");
    case ErrorCode::UnusableFile:
        return Errors::tr("This file cannot be used");
    case ErrorCode::ModelChanged:
        return Errors::tr("The model's file has changed on disk");
    case ErrorCode::QueueFull:
        return Errors::tr("The queue is full; try again later");
    case ErrorCode::Cancelled:
        return Errors::tr("Interrupted");
    case ErrorCode::NonFinite:
        return Errors::tr("The network produced numbers that are not finite");
    case ErrorCode::OutOfMemory:
        return Errors::tr("Not enough memory");
    case ErrorCode::DiskFull:
        return Errors::tr("The disk is full");
    case ErrorCode::EngineFailed:
        return Errors::tr("The engine failed");
    case ErrorCode::Unavailable:
        return Errors::tr("The server does not answer now");
    case ErrorCode::Internal:
        break;
    }
    return Errors::tr("Something went wrong");
}

}  // namespace

QString errorText(const Error &error)
{
    const QString kind = kindText(error.code);
    const QString details = QString::fromStdString(error.message).trimmed();
    if (details.isEmpty()) return Errors::tr("%1.").arg(kind);
    return Errors::tr("%1: %2").arg(kind, details);
}

}  // namespace sg::ui
