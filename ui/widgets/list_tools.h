#pragma once

#include <QString>

#include <initializer_list>

class QLineEdit;
class QTableView;
class QWidget;

namespace sg::ui {

/// The field that filters a list: magnifying glass, and a button that clears it.
QLineEdit *makeSearchField(const QString &placeholder, const QString &accessibleName, QWidget *parent);

/// A table as all pages have it: whole rows, no grid, nothing to edit, one line a row, Tab leaves it. The last column
/// takes what is left.
/// Units  padding and widths in pixels; padding is added to the line's height.
void setUpTable(QTableView &table, const QString &accessibleName, int padding, std::initializer_list<int> widths);

}  // namespace sg::ui
