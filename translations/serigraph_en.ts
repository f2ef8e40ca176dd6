<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="en">
<context>
    <name>sg::ui::ModelsPage</name>
    <message numerus="yes">
        <source>%n folder(s)</source>
        <translation>
            <numerusform>%n folder</numerusform>
            <numerusform>%n folders</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n model(s)</source>
        <translation>
            <numerusform>%n model</numerusform>
            <numerusform>%n models</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%1 of %n model(s)</source>
        <translation>
            <numerusform>%1 of %n model</numerusform>
            <numerusform>%1 of %n models</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>sg::ui::ProgressPanel</name>
    <message numerus="yes">
        <source>Waiting: %n before it</source>
        <translation>
            <numerusform>Waiting: %n before it</numerusform>
            <numerusform>Waiting: %n before it</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Generate (%n waiting)</source>
        <translation>
            <numerusform>Generate (%n waiting)</numerusform>
            <numerusform>Generate (%n waiting)</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>sg::ui::PromptEdit</name>
    <message numerus="yes">
        <source>The prompt is read in %n part(s) of 75 tokens each.</source>
        <translation>
            <numerusform>The prompt is read in %n part of 75 tokens.</numerusform>
            <numerusform>The prompt is read in %n parts of 75 tokens each.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>sg::ui::StatusLine</name>
    <message numerus="yes">
        <source>%n queued</source>
        <translation>
            <numerusform>%n queued</numerusform>
            <numerusform>%n queued</numerusform>
        </translation>
    </message>
</context>
</TS>
