# A Skein fleet on Google Cloud: docs/guide/google-cloud.md. Its syntax and its references are checked by a test;
# it has never been applied. Read the plan before you apply it.
terraform {
  required_version = ">= 1.9"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.40, < 8"
    }
    random = {
      source  = "hashicorp/random"
      version = "~> 3.6"
    }
  }
}

provider "google" {
  project = var.project
  region  = var.region
}
