# Columns of the tables (argument: a file, one line a table: name, tab, columns by commas) → the SQL that dbplyr makes of
# the verbs that sndsTools uses in extract_stays_mcob, extract_drugs_erphaf and extract_drugs_erucdf, one line a query.
suppressPackageStartupMessages({
  library(dplyr)
  library(dbplyr)
})

listed <- strsplit(readLines(commandArgs(trailingOnly = TRUE)[1]), "\t")
columns <- setNames(lapply(listed, \(one) strsplit(one[2], ",")[[1]]), vapply(listed, \(one) one[1], ""))
# tables without a connection
remote <- function(name) {
  empty <- as.data.frame(setNames(rep(list(character()), length(columns[[name]])), columns[[name]]))
  tbl_lazy(empty, con = simulate_postgres(), name = name)
}
told <- function(name, query) {
  # this connection quotes by `, DuckDB's by "
  cat(name, "\t", gsub("`", "\"", gsub("\\s+", " ", as.character(sql_render(query)))), "\n", sep = "")
}
of_care <- sql("EXE_SOI_DTD >= DATE '2024-01-01' AND EXE_SOI_DTD <= DATE '2024-12-31'")
of_flow <- sql("FLX_DIS_DTD >= DATE '2024-01-01' AND FLX_DIS_DTD < DATE '2026-01-01'")
stay <- c("ETA_NUM", "RSA_NUM")
line <- c(
  "DCT_ORD_NUM", "FLX_DIS_DTD", "FLX_EMT_ORD", "FLX_EMT_NUM", "FLX_EMT_TYP", "FLX_TRT_DTD", "ORG_CLE_NUM",
  "PRS_ORD_NUM", "REM_TYP_AFF"
)

# stays whose principal, related or associated diagnosis, in the stay or a unit, begins with I21
of_diagnosis <- sql("DGN_PAL LIKE 'I21%' OR DGN_REL LIKE 'I21%'")
b <- remote("T_MCO24B")
um <- remote("T_MCO24UM")
d <- remote("T_MCO24D")
keys <- function(table) table |> select(all_of(stay)) |> distinct()
wanted <- b |> filter(of_diagnosis) |> keys()
wanted <- union(wanted, union(
  d |> filter(sql("ASS_DGN LIKE 'I21%'")) |> keys(),
  um |> filter(of_diagnosis) |> keys()
))
stays <- b |>
  inner_join(remote("T_MCO24C"), by = stay) |>
  inner_join(wanted, by = stay) |>
  select(
    ETA_NUM, RSA_NUM, SEJ_NUM, SEJ_NBJ, NBR_DGN, NBR_RUM, NBR_ACT, ENT_MOD, ENT_PRV, SOR_MOD, SOR_DES, DGN_PAL, DGN_REL,
    GRG_GHM, BDI_DEP, BDI_COD, COD_SEX, AGE_ANN, AGE_JOU, NIR_ANO_17, EXE_SOI_DTD, EXE_SOI_DTF, FHO_RET, NAI_RET,
    NIR_RET, PMS_RET, SEJ_RET, SEX_RET, DAT_RET, COH_NAI_RET, COH_SEX_RET
  ) |>
  filter(of_care) |>
  distinct() |>
  # digits in text compared with a number: dbplyr writes 0.0
  filter(NIR_RET == 0, NAI_RET == 0, SEX_RET == 0, SEJ_RET == 0, FHO_RET == 0, PMS_RET == 0) |>
  filter(!(GRG_GHM %like% "%90%"), !(ETA_NUM %in% c("130780521", "750100018"))) |>
  filter(DAT_RET == 0, COH_NAI_RET == 0, COH_SEX_RET == 0)
told("stays", stays |> select(ETA_NUM, RSA_NUM, NIR_ANO_17, DGN_PAL) |> distinct())
told("units", um |>
  inner_join(stays |> keys(), by = stay) |>
  select(ETA_NUM, RSA_NUM, DGN_PAL, DGN_REL) |>
  rename(DGN_PAL_UM = DGN_PAL, DGN_REL_UM = DGN_REL) |>
  distinct())
told("associated", d |> inner_join(stays |> keys(), by = stay) |> select(ETA_NUM, RSA_NUM, ASS_DGN) |> distinct())

ete <- remote("ER_ETE_F")
# sndsTools writes the products of the classes into a table of its own first
told("products", remote("IR_PHA_R") |> select(PHA_CIP_C13, PHA_ATC_CLA) |> filter(sql("(PHA_ATC_CLA LIKE 'B01%')")))
products <- remote("IR_PHA_R")
told("boxes", remote("ER_PRS_F") |>
  inner_join(remote("ER_PHA_F"), by = line) |>
  inner_join(products, by = c("PHA_PRS_C13" = "PHA_CIP_C13")) |>
  # sndsTools joins the whole table; dbplyr 2.3.0 then takes columns that two tables share from the wrong one
  left_join(ete |> select(all_of(line), ETE_IND_TAA), by = line) |>
  filter(of_care, of_flow) |>
  filter(DPN_QLF != 71L, (ETE_IND_TAA != 1L) | is.na(ETE_IND_TAA)) |>
  select(BEN_NIR_PSA, EXE_SOI_DTD, PHA_ACT_QSN, PHA_ATC_CLA, PHA_PRS_C13, PSP_SPE_COD) |>
  distinct())
told("units_dispensed", remote("ER_PRS_F") |>
  filter(of_flow, of_care, !(DPN_QLF %in% c(71, 72)), CPL_MAJ_TOP < 2L, BEN_CDI_NIR %in% c("00", "03", "04")) |>
  mutate(PRS_NAT_REF = as.character(PRS_NAT_REF)) |>
  inner_join(remote("ER_UCD_F") |> filter(of_flow), by = line) |>
  inner_join(ete |> filter(of_flow, ETE_IND_TAA != 1), by = line) |>
  select(BEN_NIR_PSA, EXE_SOI_DTD, EXE_SOI_DTF, PRS_NAT_REF, UCD_TOP_UCD, UCD_UCD_COD, UCD_DLV_NBR) |>
  distinct())
