# The lake from R, with sndsTools (https://github.com/SNDStoolers/sndsTools). The test machines have no duckdb for R: a
# test sends the SQL that dbplyr makes of sndsTools' verbs to the lake (tests/e2e/test_r_examples.py).
library(DBI)
library(duckdb)
library(sndsTools)

path <- Sys.getenv("SNDS_LAKE", "data/lake/snds.duckdb")
# sndsTools writes temporary tables: attach the lake to a database of your own, and make its tables visible there
conn <- dbConnect(duckdb())
dbExecute(conn, sprintf("ATTACH '%s' AS lake (READ_ONLY)", path))
names <- dbGetQuery(conn, "SELECT view_name FROM duckdb_views() WHERE database_name = 'lake'")$view_name
for (name in names) dbExecute(conn, sprintf('CREATE VIEW "%s" AS SELECT * FROM lake."%s"', name, name))
# sndsTools asks Oracle's dictionary which years of the DCIR are in archives: here none is, all are in ER_PRS_F
dbWriteTable(conn, "user_synonyms", data.frame(SYNONYM_NAME = "ER_PRS_F_2005"))

stays <- extract_stays_mcob(
  start_date = as.Date("2024-01-01"), end_date = as.Date("2024-12-31"),
  dp_cim10_codes_filter = c("I21"), conn = conn
)
# boxes dispensed outside the hospital: IR_PHA_R must be loaded (snds-gateway reference load ir-pha-r FILE)
boxes <- extract_drugs_erphaf(
  start_date = as.Date("2024-01-01"), end_date = as.Date("2024-12-31"),
  atc_cod_starts_with_filter = c("B01"), conn = conn
)
# retrocessions; UCD codes are UCD13 here (34008...), not the older 000000 + UCD7
units <- extract_drugs_erucdf(
  start_date = as.Date("2024-01-01"), end_date = as.Date("2024-12-31"), conn = conn
)
dbDisconnect(conn, shutdown = TRUE)
