# The server form (PostgreSQL) from R, by dplyr: the questions of 01_incidence, 02_any_position and 03_drugs.
#
# Names are lower case there: tbl(conn, in_schema("snds", "t_mco24b")). The connection is that of libpq: PGHOST, PGPORT,
# PGDATABASE, PGUSER, PGPASSWORD (a reader's account). The driver is RPostgres, else RPostgreSQL.
suppressPackageStartupMessages({
  library(DBI)
  library(dplyr)
  library(dbplyr)
})

driver <- if (requireNamespace("RPostgres", quietly = TRUE)) RPostgres::Postgres() else RPostgreSQL::PostgreSQL()
conn <- dbConnect(
  driver, host = Sys.getenv("PGHOST", "localhost"), port = as.integer(Sys.getenv("PGPORT", "5432")),
  dbname = Sys.getenv("PGDATABASE", "snds"), user = Sys.getenv("PGUSER", "reader"),
  password = Sys.getenv("PGPASSWORD")
)
diagnosis <- Sys.getenv("DIAGNOSIS", "I21")
class <- Sys.getenv("ATC", "B01")

snds <- function(name) tbl(conn, in_schema("snds", name))
shown <- function(number) if (number >= 11 || number == 0) as.character(number) else "< 11"
years <- dbGetQuery(conn, "
  SELECT substr(viewname, 6, 2) AS year FROM pg_views
  WHERE schemaname = 'snds' AND viewname LIKE 't_mco__b' ORDER BY 1")$year
every_year <- function(query) Reduce(union_all, lapply(years, query))

# Stays with the filters that SNDS programs use. Return codes are digits in text: '0', not 0 (PostgreSQL does not cast)
stays <- every_year(function(year) {
  c <- snds(sprintf("t_mco%sc", year)) |>
    filter(
      nir_ret == "0", nai_ret == "0", sex_ret == "0", sej_ret == "0", fho_ret == "0", pms_ret == "0", dat_ret == "0",
      coh_nai_ret == "0", coh_sex_ret == "0"
    ) |>
    select(eta_num, rsa_num, nir_ano_17, exe_soi_dtd, exe_soi_dtf)
  snds(sprintf("t_mco%sb", year)) |>
    filter(!(grg_ghm %like% "90%"), typ_gen_rsa == "0", is.na(sej_typ) | sej_typ != "B") |>
    select(eta_num, rsa_num, dgn_pal, dgn_rel, bdi_dep) |>
    inner_join(c, by = c("eta_num", "rsa_num")) |>
    mutate(year = year)
})

# Incidence by diagnosis and department; cells under 11 stays or persons are not shown
incidence <- stays |>
  mutate(diagnosis = substr(dgn_pal, 1L, 3L)) |>
  group_by(diagnosis, bdi_dep) |>
  summarise(stays = n(), persons = n_distinct(nir_ano_17), .groups = "drop") |>
  filter(stays >= 11, persons >= 11) |>
  collect() |>
  arrange(desc(stays), diagnosis, bdi_dep)
for (i in seq_len(nrow(incidence))) with(incidence[i, ], cat(diagnosis, bdi_dep, stays, persons, "\n"))

# A diagnosis in any position: B, then the units, then the associated ones
pattern <- paste0(diagnosis, "%")
found <- every_year(function(year) {
  keys <- function(table) select(table, eta_num, rsa_num)
  b <- snds(sprintf("t_mco%sb", year)) |> filter(dgn_pal %like% pattern | dgn_rel %like% pattern) |> keys()
  um <- snds(sprintf("t_mco%sum", year)) |> filter(dgn_pal %like% pattern | dgn_rel %like% pattern) |> keys()
  d <- snds(sprintf("t_mco%sd", year)) |> filter(ass_dgn %like% pattern) |> keys()
  union(union(b, um), d) |> mutate(year = year)
})
having <- stays |> semi_join(found, by = c("eta_num", "rsa_num", "year"))
told <- having |> summarise(stays = n(), persons = n_distinct(nir_ano_17)) |> collect()
cat(sprintf("%s in any position: %s stays of %s persons\n", diagnosis, shown(told$stays), shown(told$persons)))

# Readmission: the next stay of the same person, in any hospital, begins within 30 days of the exit
readmitted <- stays |>
  group_by(nir_ano_17) |>
  window_order(exe_soi_dtd, exe_soi_dtf, rsa_num) |>
  mutate(following = lead(exe_soi_dtd)) |>
  ungroup() |>
  mutate(days = following - exe_soi_dtf) |>
  summarise(stays = n(), readmitted = sum(ifelse(days >= 1 & days <= 30, 1L, 0L), na.rm = TRUE)) |>
  collect()
cat(sprintf(
  "readmission within 30 days: %s of %s stays\n", shown(as.integer(readmitted$readmitted)),
  shown(as.integer(readmitted$stays))
))

# Exposure to a class of drugs in hospital
for (table in c("pre", "adm")) {
  exposed <- every_year(function(year) {
    name <- sprintf("t_eds%s%s", year, table)
    if (!dbGetQuery(conn, sprintf("SELECT to_regclass('snds.%s') IS NOT NULL AS there", name))$there) {
      return(snds("ir_ben_r") |> filter(FALSE) |> transmute(nir_ano_17 = ben_nir_psa))
    }
    snds(name) |> filter(pha_atc_cla %like% !!paste0(class, "%")) |> select(nir_ano_17)
  })
  told <- exposed |> summarise(lines = n(), persons = n_distinct(nir_ano_17)) |> collect()
  verb <- if (table == "pre") "prescribed" else "given"
  cat(sprintf("%s %s: %s lines, %s persons\n", class, verb, shown(told$lines), shown(told$persons)))
}
invisible(dbDisconnect(conn))
