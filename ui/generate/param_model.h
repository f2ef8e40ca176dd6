#pragma once

#include "core/params/param_values.h"

#include <QHash>
#include <QImage>
#include <QObject>
#include <QSet>
#include <QString>

#include <optional>
#include <string>

namespace sg::ui {

/// The values that the form shows and a task is submitted with. Holds only what its table allows.
/// Thread  main.
class ParamModel final : public QObject {
    Q_OBJECT
public:
    enum class By { User, Program };
    /// A picture that a row holds. The row's value is its name.
    struct StartPicture {
        QString name;
        std::string base64;  ///< of the file
        QImage thumbnail;
        QSize size;
    };

    explicit ParamModel(ParamTable table, QObject *parent = nullptr);

    const ParamTable &table() const { return m_table; }
    /// Another table (the server's): values that it allows stay.
    void setTable(ParamTable table);

    const ParamValues &values() const { return m_values; }
    template <class T>
    const T &get(std::string_view key) const
    {
        return m_values.get<T>(key);
    }

    /// False, and nothing changes, when the table has no such key or does not allow the value.
    bool set(std::string_view key, ParamValue value, By by = By::User);

    /// Whether the user has set this value (and a model's native size must not replace it).
    bool touched(std::string_view key) const;

    Json toJson() const { return m_values.toJson(m_table); }

    /// The picture of a row, or null. A row for several holds one here.
    const StartPicture *picture(const QString &key) const;
    void setPicture(const QString &key, std::optional<StartPicture> picture);

    /// Whether the row means anything now: a row of hires fix only when that is on.
    bool applies(const ParamSpec &spec) const;

    /// The body of the request: image-to-image when there is a start picture, else text-to-image.
    Json request() const;

    /// What to store for the next start (without pictures), and back; entries that no longer fit keep the form's value.
    Json save() const;
    void restore(const Json &saved);

Q_SIGNALS:
    void changed(const QString &key);
    void tableChanged();

private:
    ParamTable m_table;
    ParamValues m_values;
    QSet<QString> m_touched;
    QHash<QString, StartPicture> m_pictures;
};

}  // namespace sg::ui
