-- Each service has a database of its own. Runs once, on an empty data volume.
CREATE DATABASE gridbourse_registry;
CREATE DATABASE gridbourse_matchmaker;
CREATE DATABASE gridbourse_orchestrator;
CREATE DATABASE gridbourse_billing;
CREATE DATABASE gridbourse_chain_indexer;
