#!/bin/sh
# Who may do what on the broker, from the catalogue of events (`make acls` writes it): each service reads what it
# listens to and writes what it announces and could not consume, `migrate` makes topics, nobody else may do anything.
# BOOTSTRAP_SERVERS says where; options of kafka-acls, such as --command-config FILE of an administrator, are passed on.
set -eu

allow() {
    "${KAFKA_ACLS:-/opt/kafka/bin/kafka-acls.sh}" --bootstrap-server "$BOOTSTRAP_SERVERS" --add --allow-principal "$@"
}

allow User:migrate --operation Create --operation Describe "$@" \
    --topic batch.completed \
    --topic batch.completed.dlq \
    --topic batch.triggered \
    --topic batch.triggered.dlq \
    --topic fundamentals.updated \
    --topic fundamentals.updated.dlq \
    --topic market_data.due \
    --topic market_data.due.dlq \
    --topic portfolio.due \
    --topic portfolio.due.dlq \
    --topic portfolios.assessed \
    --topic portfolios.assessed.dlq \
    --topic portfolios.valued \
    --topic portfolios.valued.dlq \
    --topic prices.updated \
    --topic prices.updated.dlq \
    --topic profiles.updated \
    --topic profiles.updated.dlq \
    --topic risk.due \
    --topic risk.due.dlq \
    --topic symbol_analytics.due \
    --topic symbol_analytics.due.dlq \
    --topic symbols.factored \
    --topic symbols.factored.dlq \
    --topic symbols.measured \
    --topic symbols.measured.dlq \
    --topic symbols.onboarding \
    --topic symbols.onboarding.dlq

allow User:scheduler --operation Read "$@" \
    --topic batch.completed \
    --topic batch.completed.dlq \
    --topic batch.triggered.dlq \
    --topic fundamentals.updated \
    --topic fundamentals.updated.dlq \
    --topic market_data.due.dlq \
    --topic portfolio.due.dlq \
    --topic portfolios.assessed \
    --topic portfolios.assessed.dlq \
    --topic portfolios.valued \
    --topic portfolios.valued.dlq \
    --topic prices.updated \
    --topic prices.updated.dlq \
    --topic profiles.updated \
    --topic profiles.updated.dlq \
    --topic risk.due.dlq \
    --topic symbol_analytics.due.dlq \
    --topic symbols.factored \
    --topic symbols.factored.dlq \
    --topic symbols.measured \
    --topic symbols.measured.dlq \
    --topic symbols.onboarding \
    --topic symbols.onboarding.dlq

allow User:scheduler --operation Write "$@" \
    --topic batch.completed \
    --topic batch.completed.dlq \
    --topic batch.triggered \
    --topic fundamentals.updated \
    --topic fundamentals.updated.dlq \
    --topic market_data.due \
    --topic portfolio.due \
    --topic portfolios.assessed \
    --topic portfolios.assessed.dlq \
    --topic portfolios.valued \
    --topic portfolios.valued.dlq \
    --topic prices.updated \
    --topic prices.updated.dlq \
    --topic profiles.updated \
    --topic profiles.updated.dlq \
    --topic risk.due \
    --topic symbol_analytics.due \
    --topic symbols.factored \
    --topic symbols.factored.dlq \
    --topic symbols.measured \
    --topic symbols.measured.dlq \
    --topic symbols.onboarding \
    --topic symbols.onboarding.dlq

allow User:scheduler --operation Read --resource-pattern-type prefixed "$@" \
    --group scheduler.

allow User:market_data --operation Read "$@" \
    --topic batch.completed \
    --topic batch.triggered \
    --topic market_data.due \
    --topic symbols.onboarding

allow User:market_data --operation Write "$@" \
    --topic batch.completed.dlq \
    --topic batch.triggered.dlq \
    --topic fundamentals.updated \
    --topic market_data.due \
    --topic market_data.due.dlq \
    --topic prices.updated \
    --topic profiles.updated \
    --topic symbols.onboarding.dlq

allow User:market_data --operation Read --resource-pattern-type prefixed "$@" \
    --group market_data.

allow User:symbol_analytics --operation Read "$@" \
    --topic batch.completed \
    --topic fundamentals.updated \
    --topic prices.updated \
    --topic profiles.updated \
    --topic symbol_analytics.due

allow User:symbol_analytics --operation Write "$@" \
    --topic batch.completed.dlq \
    --topic fundamentals.updated.dlq \
    --topic prices.updated.dlq \
    --topic profiles.updated.dlq \
    --topic symbol_analytics.due \
    --topic symbol_analytics.due.dlq \
    --topic symbols.factored \
    --topic symbols.measured

allow User:symbol_analytics --operation Read --resource-pattern-type prefixed "$@" \
    --group symbol_analytics.

allow User:portfolio --operation Read "$@" \
    --topic batch.completed \
    --topic portfolio.due \
    --topic prices.updated \
    --topic profiles.updated

allow User:portfolio --operation Write "$@" \
    --topic batch.completed.dlq \
    --topic portfolio.due \
    --topic portfolio.due.dlq \
    --topic portfolios.valued \
    --topic prices.updated.dlq \
    --topic profiles.updated.dlq \
    --topic symbols.onboarding

allow User:portfolio --operation Read --resource-pattern-type prefixed "$@" \
    --group portfolio.

allow User:risk --operation Read "$@" \
    --topic batch.completed \
    --topic portfolios.valued \
    --topic prices.updated \
    --topic profiles.updated \
    --topic risk.due \
    --topic symbols.factored \
    --topic symbols.onboarding

allow User:risk --operation Write "$@" \
    --topic batch.completed.dlq \
    --topic portfolios.assessed \
    --topic portfolios.valued.dlq \
    --topic prices.updated.dlq \
    --topic profiles.updated.dlq \
    --topic risk.due \
    --topic risk.due.dlq \
    --topic symbols.factored.dlq \
    --topic symbols.onboarding.dlq

allow User:risk --operation Read --resource-pattern-type prefixed "$@" \
    --group risk.
