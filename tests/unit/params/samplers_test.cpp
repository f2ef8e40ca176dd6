#include "core/params/samplers.h"

#include <QTest>

#include <set>

using namespace sg;

class SamplersTest final : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void listsBeginAsA1111s();
    void namesAreUniqueAndFound();
    void aliases();
    void resolution_data();
    void resolution();
    void effective_data();
    void effective();
};

void SamplersTest::listsBeginAsA1111s()
{
    QCOMPARE(samplers().front().name, std::string("DPM++ 2M"));
    QCOMPARE(schedules().front().name, std::string("automatic"));
}

void SamplersTest::namesAreUniqueAndFound()
{
    std::set<std::string> names;
    for (const SamplerSpec &sampler : samplers()) {
        QVERIFY(names.insert(sampler.name).second);
        QVERIFY(findSampler(sampler.name) == &sampler);
        QVERIFY(sampler.defaultSchedule.empty() || findSchedule(sampler.defaultSchedule));
    }
    for (const ScheduleSpec &schedule : schedules()) {
        QVERIFY(findSchedule(schedule.name) == &schedule);
        QVERIFY(findSchedule(schedule.label) == &schedule);
    }
    // A1111's twenty and Forge's five; A1111's twelve schedules.
    QCOMPARE(samplers().size(), std::size_t(25));
    QCOMPARE(schedules().size(), std::size_t(12));
    for (const char *name : {"Euler", "DPM++ 2M SDE Heun", "DDIM CFG++", "UniPC", "LCM", "Restart", "HeunPP2", "DDPM"})
        QVERIFY(findSampler(name));
    for (const char *label : {"Automatic", "SGM Uniform", "SGMUniform", "KL Optimal", "Align Your Steps", "Beta"})
        QVERIFY(findSchedule(label));
    QVERIFY(!findSampler(""));
    QVERIFY(!findSampler("euler"));
    QVERIFY(!findSchedule("KARRAS"));
}

void SamplersTest::aliases()
{
    std::set<std::string> seen;
    for (const SamplerSpec &sampler : samplers())
        for (const std::string &alias : sampler.aliases) {
            QVERIFY(seen.insert(alias).second);
            QCOMPARE(withoutAlias(alias), sampler.name);
            QCOMPARE(withoutAlias(alias + " Karras"), sampler.name + " Karras");
            QVERIFY(!findSampler(alias));
        }
    QVERIFY(seen.size() >= samplers().size());
    for (const char *own :
         {"k_euler", "k_euler_a", "k_euler_ancestral", "k_dpmpp_2m", "k_dpm_ad", "ddim", "unipc", "k_lcm"})
        QVERIFY(seen.contains(own));
    for (const char *other :
         {"", "Euler", "DPM++ 2M Karras", "K_EULER", "k_euler_b", " Karras", "karras", "k_euler  Karras"})
        QCOMPARE(withoutAlias(other), std::string(other));
}

void SamplersTest::resolution_data()
{
    QTest::addColumn<QString>("sampler");
    QTest::addColumn<QString>("schedule");
    QTest::addColumn<QString>("resolvedSampler");
    QTest::addColumn<QString>("resolvedSchedule");
    QTest::addColumn<int>("notes");
    const auto row = [](const char *sampler, const char *schedule, const char *becomes, const char *with, int notes) {
        QTest::addRow("%s | %s", sampler, schedule) << QString::fromUtf8(sampler) << QString::fromUtf8(schedule)
                                                    << QString::fromUtf8(becomes) << QString::fromUtf8(with) << notes;
    };
    row("Euler", "", "Euler", "Automatic", 0);
    row("Euler a", "Karras", "Euler a", "Karras", 0);
    row("Euler a", "karras", "Euler a", "Karras", 0);
    row("DPM++ 2M", "Karras", "DPM++ 2M", "Automatic", 0);  // its own default is reported as Automatic
    row("DPM++ 2M", "Uniform", "DPM++ 2M", "Uniform", 0);
    row("DPM++ 2M Karras", "", "DPM++ 2M", "Automatic", 0);
    row("Euler Karras", "", "Euler", "Karras", 0);
    row("Euler karras", "", "Euler", "Karras", 0);
    row("Euler a Exponential", "Karras", "Euler a", "Exponential", 0);  // the suffix wins
    row("Euler Automatic", "", "Euler", "Automatic", 0);
    row("DPM++ 2M SDE Heun Exponential", "", "DPM++ 2M SDE Heun", "Automatic", 0);
    row("Euler SGMUniform", "", "Euler", "SGM Uniform", 0);
    row("DDIM CFG++", "Beta", "DDIM CFG++", "Beta", 0);
    row("euler", "", "DPM++ 2M", "Automatic", 1);
    row("k_euler", "", "DPM++ 2M", "Automatic", 1);
    row("", "", "DPM++ 2M", "Automatic", 1);
    row("Euler", "Nope", "Euler", "Automatic", 1);
    row("Nope", "Nope", "DPM++ 2M", "Automatic", 2);
    row("Nope Karras", "", "DPM++ 2M", "Automatic", 1);
    row("Karras", "", "DPM++ 2M", "Automatic", 1);
    row(" Karras", "", "DPM++ 2M", "Automatic", 1);
}

void SamplersTest::resolution()
{
    QFETCH(QString, sampler);
    QFETCH(QString, schedule);
    QFETCH(int, notes);
    const SamplerChoice choice = resolveSampler(sampler.toStdString(), schedule.toStdString());
    QTEST(QString::fromStdString(choice.sampler->name), "resolvedSampler");
    QTEST(QString::fromStdString(choice.schedule->label), "resolvedSchedule");
    QCOMPARE(static_cast<int>(choice.notes.size()), notes);
}

void SamplersTest::effective_data()
{
    QTest::addColumn<QString>("sampler");
    QTest::addColumn<QString>("schedule");
    QTest::addColumn<QString>("computed");
    QTest::newRow("2M") << "DPM++ 2M"
                        << "automatic"
                        << "Karras";
    QTest::newRow("2M uniform") << "DPM++ 2M"
                                << "uniform"
                                << "Uniform";
    QTest::newRow("Euler") << "Euler"
                           << "automatic"
                           << "Automatic";
    QTest::newRow("Euler karras") << "Euler"
                                  << "karras"
                                  << "Karras";
    QTest::newRow("DDIM") << "DDIM"
                          << "automatic"
                          << "Automatic";
}

void SamplersTest::effective()
{
    QFETCH(QString, sampler);
    QFETCH(QString, schedule);
    const ScheduleSpec &computed =
        effectiveSchedule(*findSampler(sampler.toStdString()), *findSchedule(schedule.toStdString()));
    QTEST(QString::fromStdString(computed.label), "computed");
}

QTEST_APPLESS_MAIN(SamplersTest)
#include "samplers_test.moc"
