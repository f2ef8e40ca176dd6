#include "ui/widgets/list_tools.h"

#include "ui/widgets/icons.h"

#include <QHeaderView>
#include <QLineEdit>
#include <QTableView>

namespace sg::ui {

using namespace Qt::Literals::StringLiterals;

QLineEdit *makeSearchField(const QString &placeholder, const QString &accessibleName, QWidget *parent)
{
    auto *field = new QLineEdit(parent);
    field->setPlaceholderText(placeholder);
    field->setAccessibleName(accessibleName);
    field->setClearButtonEnabled(true);
    field->addAction(icon(u"search"_s), QLineEdit::LeadingPosition);
    return field;
}

void setUpTable(QTableView &table, const QString &accessibleName, int padding, std::initializer_list<int> widths)
{
    table.setAccessibleName(accessibleName);
    table.setSelectionBehavior(QAbstractItemView::SelectRows);
    table.setShowGrid(false);
    table.setWordWrap(false);
    table.setTabKeyNavigation(false);
    table.setEditTriggers(QAbstractItemView::NoEditTriggers);
    table.verticalHeader()->hide();
    table.verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
    table.verticalHeader()->setDefaultSectionSize(table.fontMetrics().height() + padding);
    QHeaderView *header = table.horizontalHeader();
    header->setDefaultAlignment(Qt::AlignLeft | Qt::AlignVCenter);
    header->setHighlightSections(false);
    header->setStretchLastSection(true);
    int column = 0;
    for (const int width : widths)
        header->resizeSection(column++, width);
}

}  // namespace sg::ui
