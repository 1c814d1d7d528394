# An export (`snds-gateway export --format csv --to FOLDER`) in base R: no package at all.
#
# CNAM's style: UTF-8, `;`, dates dd/MM/yyyy, an empty cell for NULL. Codes stay text: '0' is not 0, '01' is not 1.
folder <- Sys.getenv("SNDS_EXPORT", "extraction")
shown <- function(number) if (number >= 11 || number == 0) as.character(number) else "< 11"
table_of <- function(name) {
  read.table(
    file.path(folder, name), sep = ";", dec = ".", header = TRUE, colClasses = "character", na.strings = "",
    quote = "\"", comment.char = "", encoding = "UTF-8", check.names = FALSE
  )
}
day <- function(text) as.Date(text, format = "%d/%m/%Y")
years <- sub("T_MCO(..)B[.]csv", "\\1", list.files(folder, "^T_MCO..B[.]csv$"))

stays <- do.call(rbind, lapply(years, function(year) {
  b <- table_of(sprintf("T_MCO%sB.csv", year))[, c("ETA_NUM", "RSA_NUM", "DGN_PAL", "BDI_DEP", "GRG_GHM", "SEJ_NBJ")]
  c <- table_of(sprintf("T_MCO%sC.csv", year))
  codes <- c("NIR_RET", "NAI_RET", "SEX_RET", "SEJ_RET", "FHO_RET", "PMS_RET", "DAT_RET", "COH_NAI_RET", "COH_SEX_RET")
  c <- c[rowSums(c[, codes] != "0") == 0, c("ETA_NUM", "RSA_NUM", "NIR_ANO_17", "EXE_SOI_DTD", "EXE_SOI_DTF")]
  merge(b[!startsWith(b$GRG_GHM, "90"), ], c, by = c("ETA_NUM", "RSA_NUM"))
}))
stays$nights <- as.integer(day(stays$EXE_SOI_DTF) - day(stays$EXE_SOI_DTD))
stopifnot(all(is.na(stays$SEJ_NBJ) | as.integer(stays$SEJ_NBJ) == stays$nights))

# Stays and persons by diagnosis and department; cells under 11 stays or persons are not shown
stays$diagnosis <- substr(stays$DGN_PAL, 1, 3)
for (cell in split(stays, list(stays$diagnosis, stays$BDI_DEP), drop = TRUE)) {
  persons <- length(unique(cell$NIR_ANO_17))
  if (nrow(cell) >= 11 && persons >= 11) cat(cell$diagnosis[1], cell$BDI_DEP[1], nrow(cell), persons, "\n")
}

# Readmission: the next stay of the same person begins within 30 days of the exit
stays <- stays[order(stays$NIR_ANO_17, day(stays$EXE_SOI_DTD), day(stays$EXE_SOI_DTF), stays$RSA_NUM), ]
same <- c(stays$NIR_ANO_17[-1] == stays$NIR_ANO_17[-nrow(stays)], FALSE)
gap <- c(as.integer(day(stays$EXE_SOI_DTD)[-1] - day(stays$EXE_SOI_DTF)[-nrow(stays)]), NA)
readmitted <- sum(same & gap >= 1 & gap <= 30, na.rm = TRUE)
cat(sprintf("readmission within 30 days: %s of %s stays\n", shown(readmitted), shown(nrow(stays))))
