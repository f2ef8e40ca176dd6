#include "ui/client/api_types.h"
#include "ui/client/event_reader.h"
#include "ui/generate/param_form.h"
#include "ui/generate/param_model.h"
#include "ui/generate/picture_field.h"
#include "ui/generate/prompt_edit.h"
#include "ui/generate/prompt_weight.h"
#include "ui/generate/token_count.h"
#include "ui/widgets/long_spin_box.h"

#include <QApplication>
#include <QBuffer>
#include <QCheckBox>
#include <QClipboard>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QLabel>
#include <QSignalSpy>
#include <QSpinBox>
#include <QTest>
#include <QToolButton>

using namespace Qt::Literals::StringLiterals;
using namespace sg;
using namespace sg::ui;

namespace {

ParamSpec addedRow(std::string key, ParamType type, ParamValue value, double minimum, double maximum, double step)
{
    ParamSpec spec;
    spec.key = std::move(key);
    spec.label = "Added";
    spec.help = "A row that a test has added.";
    spec.group = ParamGroup::Sampling;
    spec.type = type;
    spec.defaultValue = value;
    spec.formValue = value;
    spec.minimum = minimum;
    spec.maximum = maximum;
    spec.step = step;
    return spec;
}

}  // namespace

class FormTest : public QObject {
    Q_OBJECT
private Q_SLOTS:
    void everyRowHasAWidget();
    void widgetsObeyTheirRow();
    void anAddedRowAppears();
    void widgetAndModelStayEqual();
    void unusableValuesAreRefused();
    void savedValuesComeBack();
    void savedValuesThatDoNotFitAreLeftOut();
    void errorMarksItsField();
    void weights_data();
    void weights();
    void tokensAreCounted();
    void tabLeavesThePrompt();
    void eventsArriveInPieces();
    void whatMeansNothingIsDisabled();
    void numbersWithNamesAreChosen();
    void aPictureIsTakenAndRemoved();
    void foldsStayOpen();
    void upscalerFilesAreChoices();
};

void FormTest::everyRowHasAWidget()
{
    ParamModel model(ParamTable::standard());
    ParamForm form(model);
    for (const ParamSpec &spec : model.table().specs()) {
        QWidget *editor = form.editor(QString::fromStdString(spec.key));
        QVERIFY2(editor, spec.key.c_str());
        QCOMPARE(editor->accessibleName(), QString::fromStdString(spec.label));
        QCOMPARE(editor->toolTip(), QString::fromStdString(spec.help));
    }
}

void FormTest::widgetsObeyTheirRow()
{
    ParamModel model(ParamTable::textToImage());
    ParamForm form(model);
    const ParamSpec *steps = model.table().find("steps");
    auto *box = qobject_cast<QSpinBox *>(form.editor(u"steps"_s));
    QVERIFY(box);
    QCOMPARE(box->minimum(), int(steps->minimum));
    QCOMPARE(box->maximum(), int(steps->maximum));
    QCOMPARE(box->value(), int(std::get<std::int64_t>(steps->formValue)));
    auto *width = qobject_cast<QSpinBox *>(form.editor(u"width"_s));
    QCOMPARE(width->singleStep(), 8);
    auto *cfg = qobject_cast<QDoubleSpinBox *>(form.editor(u"cfg_scale"_s));
    QCOMPARE(cfg->singleStep(), 0.5);
    QCOMPARE(cfg->value(), 5.0);
    auto *sampler = qobject_cast<QComboBox *>(form.editor(u"sampler_name"_s));
    QCOMPARE(sampler->count(), int(model.table().find("sampler_name")->choices.size()));
    auto *seed = qobject_cast<LongSpinBox *>(form.editor(u"seed"_s));
    seed->setValue(9'007'199'254'740'991);
    QCOMPARE(model.get<std::int64_t>("seed"), std::int64_t{9'007'199'254'740'991});
}

void FormTest::anAddedRowAppears()
{
    ParamModel model(ParamTable::textToImage());
    ParamForm form(model);
    QVERIFY(!form.editor(u"added_number"_s));
    ParamTable table = ParamTable::textToImage();
    table.add(addedRow("added_number", ParamType::Number, 0.25, 0, 2, 0.05));
    table.add(addedRow("added_flag", ParamType::Flag, true, 0, 0, 1));
    model.set("steps", std::int64_t{33});
    model.setTable(table);
    auto *number = qobject_cast<QDoubleSpinBox *>(form.editor(u"added_number"_s));
    QVERIFY(number);
    QCOMPARE(number->maximum(), 2.0);
    QCOMPARE(number->decimals(), 2);
    QCOMPARE(number->value(), 0.25);
    auto *flag = qobject_cast<QCheckBox *>(form.editor(u"added_flag"_s));
    QVERIFY(flag && flag->isChecked());
    number->setValue(1.5);
    flag->setChecked(false);
    QCOMPARE(model.toJson()["added_number"].get<double>(), 1.5);
    QCOMPARE(model.toJson()["added_flag"].get<bool>(), false);
    QCOMPARE(qobject_cast<QSpinBox *>(form.editor(u"steps"_s))->value(), 33);
}

void FormTest::widgetAndModelStayEqual()
{
    ParamModel model(ParamTable::textToImage());
    ParamForm form(model);
    auto *prompt = qobject_cast<PromptEdit *>(form.editor(u"prompt"_s));
    prompt->setPlainText(u"ein Fuchs 狐"_s);
    QCOMPARE(model.get<std::string>("prompt"), "ein Fuchs 狐");
    model.set("prompt", std::string("a boat"));
    QCOMPARE(prompt->toPlainText(), u"a boat"_s);
    prompt->undo();
    QCOMPARE(model.get<std::string>("prompt"), "ein Fuchs 狐");
    auto *schedule = qobject_cast<QComboBox *>(form.editor(u"scheduler"_s));
    schedule->setCurrentIndex(2);
    QCOMPARE(model.get<std::string>("scheduler"), "Karras");
    model.set("scheduler", std::string("Uniform"));
    QCOMPARE(schedule->currentData().toString(), u"Uniform"_s);
}

void FormTest::unusableValuesAreRefused()
{
    ParamModel model(ParamTable::textToImage());
    QVERIFY(!model.set("steps", std::int64_t{0}));
    QVERIFY(!model.set("width", std::int64_t{129}));
    QVERIFY(!model.set("steps", std::string("20")));
    QVERIFY(!model.set("no_such_row", true));
    QCOMPARE(model.get<std::int64_t>("steps"), std::int64_t{20});
    ParamForm form(model);
    auto *width = qobject_cast<QSpinBox *>(form.editor(u"width"_s));
    width->setValue(130);
    Q_EMIT width->editingFinished();
    QCOMPARE(width->value(), 128);
    QCOMPARE(model.get<std::int64_t>("width"), std::int64_t{128});
}

void FormTest::savedValuesComeBack()
{
    ParamModel model(ParamTable::textToImage());
    model.set("prompt", std::string("a boat"));
    model.set("cfg_scale", 7.5);
    model.set("width", std::int64_t{256});
    ParamModel other(ParamTable::textToImage());
    other.restore(model.save());
    QVERIFY(other.values() == model.values());
    QVERIFY(other.touched("width"));
    QVERIFY(!other.touched("height"));
}

void FormTest::savedValuesThatDoNotFitAreLeftOut()
{
    ParamModel model(ParamTable::textToImage());
    model.restore(
        Json{{"values", {{"steps", 100000}, {"width", "wide"}, {"cfg_scale", 3}, {"gone", 1}}}, {"touched", 7}});
    QCOMPARE(model.get<std::int64_t>("steps"), std::int64_t{20});
    QCOMPARE(model.get<std::int64_t>("width"), std::int64_t{512});
    QCOMPARE(model.get<double>("cfg_scale"), 3.0);
}

void FormTest::errorMarksItsField()
{
    ParamModel model(ParamTable::textToImage());
    ParamForm form(model);
    form.show();
    QVERIFY(form.markInvalid(u"eta"_s));
    QWidget *eta = form.editor(u"eta"_s);
    QVERIFY(eta->property("invalid").toBool());
    QVERIFY(eta->isVisible());  // unfolded
    QVERIFY(form.markInvalid(u"steps"_s));
    QVERIFY(!eta->property("invalid").toBool());
    QVERIFY(!form.markInvalid(u"no_such_row"_s));
    QVERIFY(!form.editor(u"steps"_s)->property("invalid").toBool());
}

void FormTest::weights_data()
{
    QTest::addColumn<QString>("text");
    QTest::addColumn<int>("begin");
    QTest::addColumn<int>("end");
    QTest::addColumn<double>("delta");
    QTest::addColumn<QString>("expected");
    QTest::newRow("word at the cursor") << u"a red star"_s << 3 << 3 << 0.1 << u"a (red:1.1) star"_s;
    QTest::newRow("selection") << u"a red star, big"_s << 2 << 10 << 0.1 << u"a (red star:1.1), big"_s;
    QTest::newRow("more") << u"a (red:1.1) star"_s << 4 << 4 << 0.1 << u"a (red:1.2) star"_s;
    QTest::newRow("brackets selected") << u"a (red:1.1) star"_s << 2 << 11 << 0.1 << u"a (red:1.2) star"_s;
    QTest::newRow("back to one") << u"a (red:1.1) star"_s << 5 << 5 << -0.1 << u"a red star"_s;
    QTest::newRow("less") << u"red"_s << 1 << 1 << -0.1 << u"(red:0.9)"_s;
    QTest::newRow("inner of two") << u"((red:1.2) star:1.1)"_s << 3 << 3 << 0.1 << u"((red:1.3) star:1.1)"_s;
    QTest::newRow("outer of two") << u"((red:1.2) star:1.1)"_s << 12 << 12 << 0.1 << u"((red:1.2) star:1.2)"_s;
    QTest::newRow("escaped brackets") << u"a \\(red\\) star"_s << 12 << 12 << 0.1 << u"a \\(red\\) (star:1.1)"_s;
    QTest::newRow("never below zero") << u"(red:0)"_s << 2 << 2 << -0.1 << u"(red:0)"_s;
    QTest::newRow("nothing there") << u"  "_s << 1 << 1 << 0.1 << u"  "_s;
    QTest::newRow("empty") << QString() << 0 << 0 << 0.1 << QString();
}

void FormTest::weights()
{
    QFETCH(QString, text);
    QFETCH(int, begin);
    QFETCH(int, end);
    QFETCH(double, delta);
    QFETCH(QString, expected);
    QCOMPARE(adjustWeight({text, begin, end}, delta).text, expected);
    PromptEdit edit;
    edit.setPlainText(text);
    QTextCursor cursor = edit.textCursor();
    cursor.setPosition(begin);
    cursor.setPosition(end, QTextCursor::KeepAnchor);
    edit.setTextCursor(cursor);
    QTest::keyClick(&edit, delta > 0 ? Qt::Key_Up : Qt::Key_Down, Qt::ControlModifier);
    QCOMPARE(edit.toPlainText(), expected);
}

void FormTest::tokensAreCounted()
{
    QCOMPARE(countPromptTokens(QString()).tokens, 0);
    QCOMPARE(countPromptTokens(QString()).capacity, 75);
    const TokenCount star = countPromptTokens(u"a red star above a blue ring on a white background"_s);
    QCOMPARE(star.tokens, 11);
    QCOMPARE(star.capacity, 75);
    QCOMPARE(countPromptTokens(u"star "_s.repeated(76)).capacity, 150);
    QCOMPARE(countPromptTokens(u"star AND a red star"_s).tokens, 3);
    QVERIFY(countPromptTokens(u"["_s.repeated(65)).problem.contains(u"at character 65"_s));
    ParamModel model(ParamTable::textToImage());
    ParamForm form(model);
    model.set("prompt", std::string("a red star"));
    auto *counter = form.findChild<QLabel *>(u"promptTokens"_s);
    QVERIFY(counter);
    QTRY_COMPARE(counter->text(), u"3/75 tokens"_s);
}

void FormTest::tabLeavesThePrompt()
{
    ParamModel model(ParamTable::textToImage());
    ParamForm form(model);
    form.show();
    form.activateWindow();
    QVERIFY(QTest::qWaitForWindowActive(&form));
    auto *prompt = qobject_cast<PromptEdit *>(form.editor(u"prompt"_s));
    prompt->setPlainText(u"a"_s);
    prompt->setFocus();
    QTest::keyClick(prompt, Qt::Key_Tab);
    QCOMPARE(prompt->toPlainText(), u"a"_s);
    QCOMPARE(QApplication::focusWidget(), form.editor(u"negative_prompt"_s));
}

void FormTest::eventsArriveInPieces()
{
    const QByteArray stream =
        ": hello\nevent: state\r\ndata: {\"status\":\"running\"}\r\n\r\nevent: preview\ndata: a\ndata: b\n\n\n";
    for (int piece = 1; piece < 9; ++piece) {
        EventReader reader;
        std::vector<EventReader::Event> events;
        for (qsizetype at = 0; at < stream.size(); at += piece)
            for (EventReader::Event &event : reader.feed(stream.mid(at, piece)))
                events.push_back(std::move(event));
        QCOMPARE(events.size(), std::size_t{2});
        QCOMPARE(events[0].name, QByteArray("state"));
        QCOMPARE(events[0].data, QByteArray("{\"status\":\"running\"}"));
        QCOMPARE(events[1].data, QByteArray("a\nb"));
    }
}

void FormTest::whatMeansNothingIsDisabled()
{
    ParamModel model(ParamTable::standard());
    ParamForm form(model);
    for (const char *key : {"denoising_strength", "hr_scale", "mask", "mask_blur", "resize_mode"})
        QVERIFY2(!form.editor(QString::fromLatin1(key))->isEnabled(), key);
    QVERIFY(!model.request().contains("hr_scale") && !model.request().contains("denoising_strength"));
    model.set("enable_hr", true);
    QVERIFY(form.editor(u"hr_scale"_s)->isEnabled() && form.editor(u"denoising_strength"_s)->isEnabled());
    QVERIFY(model.request()["hr_scale"] == 2.0 && model.request()["enable_hr"] == true);
    model.setPicture(u"init_images"_s, ParamModel::StartPicture{u"a.png"_s, "QUJD", {}, {8, 8}});
    QVERIFY(form.editor(u"mask"_s)->isEnabled() && !form.editor(u"mask_blur"_s)->isEnabled());
    model.setPicture(u"mask"_s, ParamModel::StartPicture{u"m.png"_s, "REVG", {}, {8, 8}});
    QVERIFY(form.editor(u"mask_blur"_s)->isEnabled());
    QVERIFY(!form.editor(u"inpaint_full_res_padding"_s)->isEnabled());
    const Json request = model.request();
    QVERIFY(request["init_images"] == Json::array({"QUJD"}) && request["mask"] == "REVG");
    // Hires fix is a field of text to image only.
    QVERIFY(!request.contains("enable_hr") && request["inpainting_fill"] == 1);
    // A picture is not kept for the next start.
    QVERIFY(!model.save()["values"].contains("init_images") && !model.save()["values"].contains("mask"));
}

void FormTest::numbersWithNamesAreChosen()
{
    ParamModel model(ParamTable::standard());
    ParamForm form(model);
    auto *fill = qobject_cast<QComboBox *>(form.editor(u"inpainting_fill"_s));
    QVERIFY(fill);
    QCOMPARE(fill->count(), 4);
    QCOMPARE(fill->currentText(), u"Original"_s);
    fill->setCurrentIndex(2);
    QCOMPARE(model.get<std::int64_t>("inpainting_fill"), std::int64_t{2});
    model.set("inpainting_fill", std::int64_t{3});
    QCOMPARE(fill->currentText(), u"Latent nothing"_s);
}

void FormTest::aPictureIsTakenAndRemoved()
{
    ParamModel model(ParamTable::standard());
    ParamForm form(model);
    form.show();
    QImage image(20, 10, QImage::Format_RGB32);
    image.fill(Qt::red);
    QByteArray png;
    QBuffer buffer(&png);
    QVERIFY(image.save(&buffer, "PNG"));
    form.startFrom(png, u"red.png"_s);
    QTRY_VERIFY(model.picture(u"init_images"_s));
    const ParamModel::StartPicture held = *model.picture(u"init_images"_s);
    QCOMPARE(held.size, QSize(20, 10));
    QCOMPARE(QByteArray::fromBase64(QByteArray::fromStdString(held.base64)), png);
    auto *field = qobject_cast<PictureField *>(form.editor(u"init_images"_s));
    QVERIFY(field && field->isVisible());
    QSignalSpy failed(&form, &ParamForm::failed);
    field->take("no picture", u"x.txt"_s);
    QTRY_COMPARE(failed.size(), 1);
    QVERIFY(model.picture(u"init_images"_s));  // the old one stays
    QTest::keyClick(field->focusProxy(), Qt::Key_Delete);
    QVERIFY(!model.picture(u"init_images"_s) && !model.request().contains("init_images"));
    QGuiApplication::clipboard()->setImage(image);
    QTest::keyClick(field->focusProxy(), Qt::Key_V, Qt::ControlModifier);
    QTRY_VERIFY(model.picture(u"init_images"_s));
}

void FormTest::foldsStayOpen()
{
    ParamModel model(ParamTable::standard());
    ParamForm form(model);
    form.show();
    form.findChild<QToolButton *>(u"hiresFixFold"_s)->setChecked(true);
    QVERIFY(form.editor(u"enable_hr"_s)->isVisible() && !form.editor(u"init_images"_s)->isVisible());
    model.setTable(ParamTable::standard().limited({}));
    QTRY_VERIFY(form.editor(u"enable_hr"_s)->isVisible());
    QVERIFY(!form.editor(u"init_images"_s)->isVisible());
}

void FormTest::upscalerFilesAreChoices()
{
    ParamModel model(ParamTable::standard());
    ParamForm form(model);
    const auto modelNamed = [](const char *type, const char *name, const char *status) {
        ModelInfo info;
        info.type = QString::fromLatin1(type);
        info.name = QString::fromLatin1(name);
        info.status = QString::fromLatin1(status);
        return info;
    };
    const std::vector<ModelInfo> found{
        modelNamed("upscaler", "4x-Sharp", "registered"), modelNamed("upscaler", "4x-Swin", "unusable"),
        modelNamed("upscaler", "2x-Gone", "deleted"), modelNamed("stableDiffusion", "starter", "registered")};
    for (const char *key : {"hr_upscaler", "upscaler_for_img2img"}) {
        auto *box = qobject_cast<QComboBox *>(form.editor(QString::fromLatin1(key)));
        QVERIFY2(box, key);
        const int own = box->count();
        QVERIFY2(own == static_cast<int>(model.table().find(key)->choices.size()), key);
        form.setModels(found);
        QCOMPARE(box->count(), own + 1);
        QCOMPARE(box->itemText(own), u"4x-Sharp"_s);
        box->setCurrentIndex(own);
        QCOMPARE(model.get<std::string>(key), "4x-Sharp");
        // Folders are looked at again and again: neither twice in the list, nor another choice.
        form.setModels(found);
        QCOMPARE(box->count(), own + 1);
        QCOMPARE(box->currentText(), u"4x-Sharp"_s);
        form.setModels({});
        QCOMPARE(box->count(), own);
        QCOMPARE(model.get<std::string>(key), "4x-Sharp");
    }
}

QTEST_MAIN(FormTest)
#include "form_test.moc"
